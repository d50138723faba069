"""What is to be done on this machine, settled before anything is touched."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from mlx_pool.terminal import clean
from shared.survey import Survey

from .installation import Installation
from .processes import Process
from .turns import Turn, in_words, lonely


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Handed to the upgrade at work, which runs from a copy of the old environment."""

    installed: Installation
    wanted: str  # as pip and uv understand it
    turns: tuple[Turn, ...]
    queues: frozenset[str] = frozenset()  # that are named on this machine
    machine: str
    wait_s: float
    settle_s: float
    as_json: bool = False


def encode_order(order: Order) -> bytes:
    """Write it, as the upgrade at work reads it."""
    return msgspec.json.encode(order, enc_hook=str)


def decode_order(data: bytes) -> Order:
    """Read it."""
    return msgspec.json.decode(data, type=Order, dec_hook=_path)


def plan_lines(order: Order) -> Iterator[str]:
    """Say what is going to be done."""
    installed = order.installed
    extras = f"[{','.join(installed.extras)}]" if installed.extras else ""
    by = "uv" if installed.uv else "pip"
    yield f"mlx-pool{extras} {installed.version} in {installed.prefix} ({installed.kind}): {by} installs {order.wanted}"
    if not order.turns:
        yield "nothing runs from it that would have to be restarted"
    for number, turn in enumerate(order.turns, 1):
        yield f"{number}. {in_words(turn)}{_serving(turn)}: drained, replaced, started, and looked at for a while"


def hints(turns: Sequence[Turn], surveys: Sequence[Survey], alone: Sequence[Process]) -> Iterator[str]:
    """Say what a person should know before."""
    for turn in turns:
        for survey in lonely(turn, surveys):
            waiting = f"the {survey.waiting_total} that wait and " if survey.waiting_total else ""
            yield (
                f"nobody else serves {clean(survey.model)} while {in_words(turn)} is away: {waiting}new jobs wait "
                "until it is back; streams that run pause, and go on"
            )
        if turn.ran and not turn.queues:
            yield f"{in_words(turn)} is seen in no queue now: of it only its process can be looked at afterwards"
        if turn.kind == "service" and turn.part == "up":
            yield f"{in_words(turn)} runs a gateway, and perhaps the queue: streams over it break, and can be resumed"
        if turn.part == "gateway":
            yield f"{in_words(turn)}: streams over it break, and can be resumed"
    if any(turn.kind == "up" for turn in turns):
        yield "an `up` in a terminal gets new workers; itself and its gateway are the old ones until it is restarted"
    for process in alone:
        what = "worker" if process.runs("worker") else "gateway"
        yield f"a {what} that was started by hand (process {process.pid}) goes on as it is: end it, and start it anew"


def _path(wanted: type[object], told: object) -> object:
    assert wanted is Path, "nothing else of it is foreign to JSON"
    return Path(str(told))


def _serving(turn: Turn) -> str:
    return f", which serves {', '.join(sorted(map(clean, turn.queues)))}" if turn.queues else ""
