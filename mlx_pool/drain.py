"""The command `mlx-pool drain`: have workers finish or hand over what they run, and leave.

They are asked through Redis, so it works from any machine. Who keeps a worker alive there, `mlx-pool up` or a service,
starts it anew: that makes a drain the orderly way to restart one.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from shared.connection import Broker
from shared.pool import Pool
from shared.survey import Survey, WorkerView

from .arguments import JsonFlag, RedisFlag, call
from .asking import ask
from .failure import Failed, Unusable
from .terminal import clean
from .where import redis_url

_LOOK_EVERY_S: Final = 0.25


class Drained(msgspec.Struct, frozen=True):
    """Who left, within what time."""

    workers: list[str]
    seconds: float


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(drain, argv, name="drain")


def drain(
    worker: Annotated[str | None, Parameter(help="A worker's name, as `status` shows it.")] = None,
    /,
    *,
    host: Annotated[
        str | None, Parameter(help="Instead: all workers of this machine, by its name in the pool.")
    ] = None,
    wait_s: Annotated[float, Parameter(name="--wait-s", help="How long to wait until they have left.")] = 120.0,
    redis: RedisFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Have a worker take no more, finish or hand over what it runs, and leave; returns when it has.

    Its jobs lose nothing. What keeps it alive on its machine (`up`, a service) starts it anew. Exit code 1 when it is
    still there after the wait.
    """
    if (worker is None) == (host is None):
        raise Unusable("Which one? `mlx-pool drain WORKER`, or --host NAME; `mlx-pool status` shows their names.")
    say = _say if not as_json else _say_nothing
    question = partial(_drain, worker=worker, host=host, wait_s=wait_s, say=say)
    drained = ask(redis_url(redis, os.environ), question, name="drain")
    if as_json:
        sys.stdout.write(msgspec.json.encode(drained).decode() + "\n")
    else:
        say(f"left after {drained.seconds:.1f} s")
    return 0


async def _drain(
    client: Broker, *, worker: str | None, host: str | None, wait_s: float, say: Callable[[str], None]
) -> Drained:
    pool = Pool(client)
    meant = chosen(await _surveys(pool), worker=worker, host=host)
    for survey, view in meant:
        await pool.queue(survey.model).ask_to_drain(view.id)
        say(f"{clean(view.id)} of {clean(survey.model)} was asked to leave; it runs {view.busy}")
    names = {view.id for _, view in meant}
    since, told = time.monotonic(), ""
    while left := [view for survey in await _surveys(pool) for view in survey.workers if view.id in names]:
        took = time.monotonic() - since
        if took > wait_s:
            raise Failed(f"After {took:.0f} s there is still {state_of(left)}.")
        if (words := state_of(left)) != told:
            told = words
            say(words)
        await asyncio.sleep(_LOOK_EVERY_S)
    return Drained(sorted(names), round(time.monotonic() - since, 3))


async def _surveys(pool: Pool) -> list[Survey]:
    return [await pool.queue(model).survey() for model in sorted(await pool.models())]


def chosen(surveys: Sequence[Survey], *, worker: str | None, host: str | None) -> list[tuple[Survey, WorkerView]]:
    """Choose the living workers that are meant, each with its queue: by name, or all of a machine.

    An agent that serves several queues has a name in each; they share machine and process, `mac.4711`, which will do.

    Raises:
        Unusable: there is none.

    """
    living = [(survey, view) for survey in surveys for view in survey.live_workers]
    meant = [
        (survey, view)
        for survey, view in living
        if (view.id.rpartition(".")[0].rpartition(".")[0] == host if worker is None else _is_meant(view.id, worker))
    ]
    if not meant:
        asked = worker or f"of {host}"
        names = ", ".join(sorted(clean(view.id) for _, view in living)) or "none"
        raise Unusable(f"No worker {clean(asked)} is alive; these are: {names}.")
    return meant


def _is_meant(worker_id: str, asked: str) -> bool:
    return worker_id == asked or worker_id.rpartition(".")[0] == asked


def state_of(left: Sequence[WorkerView]) -> str:
    """Say who is there yet, and what they still run."""
    return ", ".join(f"{clean(view.id)} {view.state}, {view.busy} job(s) running" for view in left)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _say_nothing(_: str) -> None:
    """JSON is one answer, at the end."""
