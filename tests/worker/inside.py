"""A worker's service in this process, with a real queue and the scripted engine: what can't be seen from outside."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from shared.channel import Listener
from shared.claims import Claims, Doorbell
from shared.connection import Arg, Broker, connect
from shared.queue import Queue
from worker.hints import Hints
from worker.incarnation import Incarnation
from worker.presence import Tally
from worker.served import Served
from worker.service import Connections, Service
from worker.stand import Stand
from worker.supervisor import Supervisor

ENGINE = (sys.executable, "-m", "worker.engine.scripted", "--slots", "1", "--step-ms", "1")


class Slow(Broker):
    """A broker that is slow with the calls that are `held`: to send them, or to hand their answers on."""

    def __init__(self, url: str, held: Callable[[Sequence[Arg]], bool], *, is_heard: bool) -> None:
        """`is_heard`: the server hears of a call at once, and only the answer is late."""
        super().__init__(Redis.from_url(url, protocol=2), timeout_s=20)
        self._held = held
        self._is_heard = is_heard
        self.is_asked = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def command(self, *words: Arg) -> Any:
        """Send one command; one that is held waits."""
        if not self._held(words):
            return await super().command(*words)
        reply = await super().command(*words) if self._is_heard else None
        self.is_asked.set()
        await self.may_go_on.wait()
        return reply or await super().command(*words)


class Inside:
    """What a service of the model `m` is made of."""

    def __init__(self, url: str, *, calls: Broker | None = None, beats: Broker | None = None) -> None:
        self.stand = Stand("m", pinned=False)
        self.tally = Tally()
        self.client = connect(url, name="inside")
        self.queue = Queue(self.client, "m")
        self.listener = Listener(url, name="inside-control")
        self.links = Connections(
            calls=calls or self.client,
            beats=beats or self.client,
            bell=connect(url, name="bell", timeout_ms=20_000),
            slow_bell=connect(url, name="slow-bell", timeout_ms=20_000),
            listener=self.listener,
        )

    def service(self, *flags: str) -> Service:
        """Make a service that loads its model when the stand is due."""
        return Service(self.stand, [*ENGINE, *flags], self.links, host="mac", hints=Hints("none"), fetch=_nothing)

    def incarnation(self) -> Incarnation:
        """Make an incarnation whose engine does not run."""
        links, names = self.links, ("m", "mac.1.ab")
        return Incarnation(
            claims=Claims(links.calls, *names, host="mac"),
            beats=Claims(links.beats, *names, host="mac"),
            doorbell=Doorbell(links.bell, "m"),
            slow_bell=Doorbell(links.slow_bell, "m"),
            queue=self.queue,
            engine=Supervisor(ENGINE, on_replies=lambda _: None, on_death=lambda _: None),
            tally=self.tally,
            hints=Hints("none"),
            served=Served(),
            stand=self.stand,
        )

    async def told(self, field: str) -> str:
        """What the worker tells of itself now; empty where there is none."""
        workers: list[bytes] = await self.client.command("ZRANGE", self.queue.keys.workers, 0, -1)
        keys = [self.queue.keys.worker(name.decode()) for name in workers]
        values = [await self.client.command("HGET", key, field) for key in keys]
        return values[0].decode() if values and values[0] else ""

    async def has_job(self, *states: str) -> bool:
        """Whether the job of the name `job` is in one of these states."""
        told: bytes | None = await self.client.command("HGET", self.queue.keys.job("job"), "state")
        return (told or b"").decode() in states

    @asynccontextmanager
    async def serving(self, one: Service | Incarnation) -> AsyncGenerator[None]:
        """Run a service for as long as the block, with the engine that it may have; or a mere incarnation."""
        work = one.run(drain_s=0.1) if isinstance(one, Service) else one.serve(drain_s=0.1)
        tasks = [asyncio.create_task(self.listener.run()), asyncio.create_task(work)]
        try:
            yield
        finally:
            one.drain()
            await asyncio.wait(tasks[1:])
            tasks[0].cancel()
            await asyncio.wait(tasks)
            links = self.links
            for broker in {self.client, links.calls, links.beats, links.bell, links.slow_bell}:
                await broker.aclose()


async def _nothing(_: object) -> None:
    """It is here."""
