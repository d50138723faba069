"""What runs from an environment, in the order in which it takes its turn: a service each, a worker of an `up` each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from mlx_pool.service.want import PartName, Scope
from mlx_pool.terminal import clean
from mlx_pool.up.plan import queue_name
from shared.survey import Survey, WorkerView

from .processes import Process, tree, workers

# Gateways last: whoever reads a stream has to come again, which is worth it only when all else is well.
_ORDER: Final = ("worker", "up", "gateway")
_DRAIN_S: Final = 30.0
_BEYOND_S: Final = 30.0  # for handing over, and for the engine's end


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as it ran before its turn: its process, and the queues that it served."""

    pid: int
    queues: tuple[str, ...] = ()
    stop_limit_s: float = _DRAIN_S + _BEYOND_S


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What is drained, replaced and looked at together; `url` is where its queue is, as far as that is known.

    A service is stopped and started by its manager. A worker of an `up` in some terminal is asked to leave, and `up`
    starts it anew: from the environment as it is then.
    """

    kind: Literal["service", "up"]
    name: str
    part: PartName
    scope: Scope = "user"
    pid: int = 0  # of `up`
    number: int = 0  # among its workers; 0 where that is the only one, or all of them
    data: str = ""  # the data folder of `up`
    url: str | None = None
    names: tuple[str, ...] = ()  # that this machine may have in the pool
    door: tuple[str, int] | None = None  # of a gateway
    ran: tuple[Ran, ...] = ()

    @property
    def queues(self) -> frozenset[str]:
        """What it served."""
        return frozenset(queue for ran in self.ran for queue in ran.queues)

    @property
    def stop_limit_s(self) -> float:
        """How long it may take to drain."""
        return max((ran.stop_limit_s for ran in self.ran), default=_DRAIN_S + _BEYOND_S)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A service that is installed, or an `up`: what it is called, and its first process; 0 where it does not run."""

    kind: Literal["service", "up"]
    name: str
    part: PartName
    pid: int
    scope: Scope = "user"
    data: str = ""
    url: str | None = None
    names: tuple[str, ...] = ()


def turns_of(kept: Sequence[Kept], listed: Sequence[Process], surveys: Sequence[Survey]) -> Iterator[Turn]:
    """Give the turns, in their order."""
    for each in sorted(kept, key=lambda each: (_ORDER.index(each.part), each.name)):
        if not each.pid:
            continue
        below = tree(listed, each.pid)
        ran = tuple(_ran(worker, each.names, surveys) for worker in workers(below))
        turn = Turn(
            kind=each.kind,
            name=each.name,
            part=each.part,
            scope=each.scope,
            pid=each.pid,
            data=each.data,
            url=each.url,
            names=each.names,
            door=_door(below) if each.part == "gateway" else None,
            ran=ran,
        )
        if each.kind == "service":
            yield turn
        else:
            numbers = range(1, len(ran) + 1) if len(ran) > 1 else (0,)
            for number, worker in zip(numbers, ran, strict=False):
                yield msgspec.structs.replace(turn, number=number, ran=(worker,))


def strays(kept: Sequence[Kept], listed: Sequence[Process], prefix: Path) -> list[Process]:
    """Find the workers and gateways of this environment that nobody would start anew."""
    known = {process.pid for each in kept if each.pid for process in tree(listed, each.pid)}
    return [
        each
        for each in listed
        if each.pid not in known and each.is_of(prefix) and (each.runs("worker") or each.runs("gateway"))
    ]


def ours(views: Sequence[WorkerView], pid: int, names: Sequence[str]) -> list[WorkerView]:
    """Choose what a process of this machine tells of itself in its queues.

    Another machine may have a process of the same number: then it goes by the name.
    """
    same = [view for view in views if _parts(view.id)[1] == str(pid)]
    if len({_parts(view.id)[0] for view in same}) <= 1:
        return same
    return [view for view in same if _parts(view.id)[0] in names]


def lonely(turn: Turn, surveys: Sequence[Survey]) -> list[Survey]:
    """Choose the queues that nobody serves while it is this one's turn."""
    pids = [ran.pid for ran in turn.ran]
    found: list[Survey] = []
    for survey in surveys:
        mine = {view.id for pid in pids for view in ours(survey.workers, pid, turn.names)}
        if survey.model in turn.queues and all(view.id in mine for view in survey.workers if view.may_serve):
            found.append(survey)
    return found


def merged(turns: Sequence[Turn]) -> list[Turn]:
    """Put those of one `up` together: on the way back its workers have one turn."""
    found: dict[tuple[str, str, str, int], Turn] = {}
    for turn in turns:
        key = (turn.kind, turn.scope, turn.name, turn.pid if turn.kind == "up" else 0)
        before = found.get(key)
        found[key] = turn if before is None else msgspec.structs.replace(before, number=0, ran=before.ran + turn.ran)
    return list(found.values())


def asked_queues(listed: Sequence[Process]) -> frozenset[str]:
    """Give the queues that workers' command lines name: who may not see all queues looks into these."""
    return frozenset(queue for worker in workers(listed) for queue in _named(worker))


def in_words(turn: Turn) -> str:
    """Name it for a person."""
    if turn.kind == "service":
        return f"service {clean(turn.name)}"
    return f"{clean(turn.name)}, worker {turn.number}" if turn.number else clean(turn.name)


def _named(worker: Process) -> Iterator[str]:
    if model := worker.value("--queue") or worker.value("--model"):
        yield queue_name(model)
    for word in (worker.value("--on-demand") or "").split(","):
        if name := word.strip().partition("=")[0]:
            yield queue_name(name)


def _ran(worker: Process, names: Sequence[str], surveys: Sequence[Survey]) -> Ran:
    served = tuple(survey.model for survey in surveys if ours(survey.live_workers, worker.pid, names))
    return Ran(pid=worker.pid, queues=served, stop_limit_s=_drain_s(worker) + _BEYOND_S)


def _drain_s(worker: Process) -> float:
    try:
        return float(worker.value("--drain-s") or _DRAIN_S)
    except ValueError:
        return _DRAIN_S


def _door(below: Sequence[Process]) -> tuple[str, int] | None:
    for process in below:
        if process.runs("gateway"):
            port = process.value("--port") or "8081"
            return (process.value("--host") or "127.0.0.1", int(port)) if port.isdigit() else None
    return None


def _parts(worker_id: str) -> tuple[str, str]:
    """Part a worker's name into machine and process."""
    run = worker_id.rpartition(".")[0]
    host, _, pid = run.rpartition(".")
    return host, pid
