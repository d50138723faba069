"""What was settled, carried out: the model fetched, the worker started here or as a service, and seen in its queue."""

import asyncio
import os
import signal
import sys
import time
from functools import partial

import msgspec

from mlx_pool.asking import ask
from mlx_pool.doctor.machine import is_on
from mlx_pool.failure import Failed
from mlx_pool.part import part_argv
from mlx_pool.up.part import Part
from mlx_pool.up.screen import Screen
from shared.connection import Broker, connect
from shared.identity import is_run_of
from shared.supply import Supply
from shared.survey import Survey, WorkerView

from . import words
from .arrival import IsOurs, arrival
from .fetch import fetch
from .serve import Serving
from .stay import install


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What is going to be done. `before`: the workers that were there; `fetched`: the model that is not here yet.

    `supply` is who in the pool gives that, if anybody does.
    """

    url: str
    host: str
    queue: str
    flags: tuple[str, ...]
    fetched: str | None
    supply: Supply | None = None
    warnings: list[str]
    before: frozenset[str]
    began: float  # by the monotonic clock

    @property
    def env(self) -> dict[str, str]:
        """The worker's environment: the address is there, and nowhere else."""
        return {**os.environ, "MLX_POOL_REDIS_URL": self.url}


def run_here(settled: Settled, screen: Screen, *, as_json: bool) -> int:
    """Run the worker until it has drained.

    Raises:
        CommandError: the model can't be had, or the worker ended badly.

    """
    # Ctrl-Z would stop this process alone, and the worker would block once its log's pipe is full.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    asyncio.run(_run_here(settled, screen, as_json=as_json))
    return 0


def run_for_good(settled: Settled, screen: Screen, wait_s: float, *, as_json: bool) -> int:
    """Make it a service, and wait until it serves.

    Raises:
        CommandError: the model can't be had, the service can't be made, or it does not serve in time.

    """
    if settled.fetched is not None:
        asyncio.run(fetch(settled.fetched, screen, settled.supply))
    for line in install(settled.flags, settled.env):
        screen.say(line)
    if wait_s > 0:
        is_new = partial(_is_new, host=settled.host, before=settled.before)
        survey, view = ask(settled.url, partial(_arrival_within, settled.queue, is_new, wait_s), name="join")
        _tell(settled, survey, view, screen, as_json=as_json)
    return 0


async def _run_here(settled: Settled, screen: Screen, *, as_json: bool) -> None:
    if settled.fetched is not None:
        await fetch(settled.fetched, screen, settled.supply)
    argv = part_argv("worker", settled.flags)
    serving = Serving(Part(name="worker", stage="worker", argv=argv, env=settled.env), screen)
    watching: list[asyncio.Task[None]] = []

    def watch(pid: int) -> None:
        watching.append(asyncio.create_task(_tell_arrival(settled, pid, screen, as_json=as_json)))

    try:
        await serving.run(watch)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)


async def _tell_arrival(settled: Settled, pid: int, screen: Screen, *, as_json: bool) -> None:
    broker = connect(settled.url, name="join")
    try:
        is_ours = partial(_is_run, host=settled.host, pid=pid)
        _tell(settled, *await arrival(broker, settled.queue, is_ours), screen, as_json=as_json)
    finally:
        await broker.aclose()
    screen.say(words.how_to_stay(settled.flags))


async def _arrival_within(queue: str, is_ours: IsOurs, wait_s: float, broker: Broker) -> tuple[Survey, WorkerView]:
    try:
        async with asyncio.timeout(wait_s):
            return await arrival(broker, queue, is_ours)
    except TimeoutError:
        raise Failed(
            f"The service is there, but serves nothing after {wait_s:.0f} s: `mlx-pool service logs worker` tells why."
        ) from None


def _tell(settled: Settled, survey: Survey, view: WorkerView, screen: Screen, *, as_json: bool) -> None:
    seconds = time.monotonic() - settled.began
    screen.settle()
    screen.say(words.ready_line(view, seconds))
    if as_json:
        joined = words.Joined(
            worker=view.id,
            model=settled.queue,
            seats=view.slots,
            version=view.version,
            seconds=round(seconds, 3),
            others=words.others_in(survey, view.id),
            warnings=settled.warnings,
        )
        sys.stdout.write(msgspec.json.encode(joined).decode() + "\n")
        sys.stdout.flush()


def _is_run(view: WorkerView, *, host: str, pid: int) -> bool:
    return is_run_of(view.id, host, pid)


def _is_new(view: WorkerView, *, host: str, before: frozenset[str]) -> bool:
    return is_on(view, host) and view.id not in before
