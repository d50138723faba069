"""A whole pool of real processes on loopback: broker, gateways, and workers with the scripted engine."""

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from shared.connection import connect
from shared.errors import Fault
from shared.keys import Keys
from shared.queue import Queue

from .broker import HOST, Broker
from .process import Process, is_running, python
from .proxy import Proxy
from .shape import Shape

MODEL = "scripted"
READY_WITHIN_S = 60.0


class Pool:
    """A pool of this shape, for the length of an `async with`."""

    def __init__(self, shape: Shape, folder: Path, chance: random.Random) -> None:
        self.shape = shape
        self.keys = Keys(MODEL)
        self.ports = [_free_port() for _ in range(shape.gateways)]
        self.proxies: dict[str, Proxy] = {}
        self.broker = Broker(_free_port(), folder, fsync=shape.fsync)
        self.redis = connect(self.broker.url, name="driver")
        self._folder = folder
        self._chance = chance
        self.gateways = [self._gateway(number) for number in range(shape.gateways)]
        self.workers = [self._worker(number) for number in range(shape.workers)]

    async def __aenter__(self) -> Self:
        """Start everything; returns when all workers take jobs."""
        try:
            self.broker.start()
            await until(self.is_broker_up, "the broker is up")
            if self.shape.limits:
                pairs = [word for pair in self.shape.limits.items() for word in pair]
                await self.redis.command("HSET", self.keys.limits, *pairs)
            for proxy in self.proxies.values():
                await proxy.open()
            for process in (*self.workers, *self.gateways):
                process.start()
            await until(self.is_ready, "all workers and gateways are ready", within_s=READY_WITHIN_S)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything."""
        ends = [asyncio.to_thread(process.end) for process in (*self.workers, *self.gateways)]
        await asyncio.gather(*ends)
        for proxy in self.proxies.values():
            await proxy.close()
        await self.redis.aclose()
        await asyncio.to_thread(self.broker.process.end)

    @property
    def broker_ports(self) -> frozenset[int]:
        """The ports at which processes of the pool reach the broker."""
        return frozenset({self.broker.port, *(proxy.port for proxy in self.proxies.values())})

    async def is_broker_up(self) -> bool:
        """Whether the broker answers, and is through with loading."""
        try:
            return bool(await self.redis.command("PING"))
        except Fault:
            return False

    async def is_ready(self) -> bool:
        """Whether every gateway listens and every worker takes jobs."""
        try:
            ready = await self._ready_pids()
        except Fault:
            return False
        are_open = [await _is_open(port) for port in self.ports]
        return all(are_open) and all(worker.pid in ready for worker in self.workers)

    async def _ready_pids(self) -> set[int]:
        """The process ids of workers that take jobs now."""
        survey = await Queue(self.redis, MODEL).survey()
        return {int(worker.id.split(".")[-2]) for worker in survey.ready_workers}

    def orphans(self) -> list[int]:
        """Engines whose agents were killed, and that are still there."""
        past = {pid for worker in self.workers for pid in worker.past_engines}
        return [pid for pid in sorted(past) if is_running(pid)]

    def _gateway(self, number: int) -> Process:
        name = f"gateway-{number + 1}"
        argv = python("gateway", "--redis", self._way(name), "--port", str(self.ports[number]), "--drain-s", "1")
        return Process(name, "gateway", argv, self._folder)

    def _worker(self, number: int) -> Process:
        name, shape = f"mac-{number + 1}", self.shape
        engine = f"--step-ms {shape.step_ms} {shape.engine_args}".strip()
        flags = ["--engine", "scripted", "--slots", str(shape.slots), "--engine-args", engine]
        argv = python("worker", "--redis", self._way(name), "--name", name, "--drain-s", str(shape.drain_s), *flags)
        return Process(name, "worker", argv, self._folder)

    def _way(self, name: str) -> str:
        if not self.shape.is_proxied:
            return self.broker.url
        proxy = self.proxies[name] = Proxy(_free_port(), self.broker.port, self._chance)
        return f"redis://{HOST}:{proxy.port}/0"


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, within_s: float = 30.0) -> float:
    """Wait until a condition holds, and return how long that took.

    Raises:
        TimeoutError: it does not.

    """
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
