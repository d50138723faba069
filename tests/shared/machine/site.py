"""One server for many examples: its loop, an ear on its channels, and hands that move time instead of waiting."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from shared.claims import LEASE_MS
from shared.limits import write_limits
from tests.shared.conftest import Lab

from .sight import Sight
from .world import World

LIMITS = {"waiting": 6, "body_bytes": 64, "orphan_ms": 1_000_000}


class Site:
    """A server, and the one loop in which everything on it is done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()

    def run(self, deed: Coroutine[Any, Any, None]) -> None:
        """Do it to its end."""
        self._runner.run(deed)

    async def open(self) -> Lab:
        """An empty queue with narrow limits."""
        here = Lab(self.url)
        await here.redis("FLUSHALL")
        await write_limits(here.client, "m", LIMITS)
        return here


class Ear:
    """A connection that listens to channels of jobs; what it hears is of no account, only that it does."""

    def __init__(self, here: Lab) -> None:
        self._here = here
        self._connection = here.client.new_connection()

    async def listen(self, job_id: str) -> None:
        """Begin to listen; returns when Redis counts it."""
        await self._say("subscribe", job_id)

    async def mute(self, job_id: str) -> None:
        """Listen no more."""
        await self._say("unsubscribe", job_id)

    async def aclose(self) -> None:
        """Leave."""
        await self._connection.disconnect()

    async def _say(self, verb: str, job_id: str) -> None:
        await self._connection.connect()
        await self._connection.send_command(verb.upper(), self._here.keys.channel(job_id))
        heard: list[Any] = []
        while heard[:1] != [verb.encode()]:
            heard = await self._connection.read_response(disable_decoding=True)  # pyright: ignore[reportAssignmentType, reportUnknownVariableType] redis-py's stubs


async def hold_time(here: Lab, world: World, now_ms: int) -> None:
    """Keep leases from ending by themselves, however slow this machine is: they end when a rule says so."""
    live = [worker.id for worker in world.alive()]
    rows = [("ZADD", here.keys.workers, "XX", now_ms + LEASE_MS, name) for name in live]
    await here.client.commands([*rows, *(("PEXPIRE", here.keys.worker(name), 10_000) for name in world.workers)])


async def tick_at(here: Lab, ago_ms: int, *, sweeps: bool) -> None:
    """Let the last tick have been so long ago, and the last sweep just now or never."""
    now = await here.now_ms()
    await here.redis("HSET", here.tick_key, "at", now - ago_ms, "swept", 0 if sweeps else now)


async def age(here: Lab, world: World, sight: Sight, stream: str, by_ms: int) -> None:
    """Let the entries of a class, none of them delivered, be older: ids are times, so they are written anew."""
    key = here.keys.jobs(stream)
    rows = await here.redis("XRANGE", key, "-", "+")
    commands: list[tuple[Any, ...]] = [("DEL", key), ("XGROUP", "CREATE", key, "workers", "0", "MKSTREAM")]
    for (entry_id, fields), place in zip(rows, sight.streams[stream], strict=True):
        at, _, rest = entry_id.decode().partition("-")
        older = f"{int(at) - by_ms}-{rest}"
        commands.append(("XADD", key, older, *(word for pair in fields.items() for word in pair)))
        commands.append(("HSET", here.keys.job(place.job_id), "entry", f"{stream}:{older}"))
    await here.client.commands(commands)
    world.consumers = {each for each in world.consumers if each[0] != stream}
