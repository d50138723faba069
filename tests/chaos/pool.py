"""A whole pool of real processes on loopback: broker, gateways, and workers with the scripted engine."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from mlx_pool.key_store import KeyStore
from shared.connection import connect
from shared.errors import Fault
from shared.key_file import KeyEntry, digest_of, new_key
from shared.keys import Keys
from shared.queue import Queue
from tests.engine.hermes import TEMPLATE
from tests.ports import Ports

from .broker import HOST, Broker
from .namespace import Namespace
from .process import Process, is_running, python
from .proxy import Proxy
from .shape import Shape

MODEL = "scripted"  # the queue's name, whatever its workers run
READY_WITHIN_S = 60.0
_KEYS = "keys.json"


class Pool:
    """A pool of this shape, for the length of an `async with`."""

    def __init__(self, shape: Shape, folder: Path, seed: int) -> None:
        self.shape = shape
        self.keys = Keys(MODEL)
        self._free_ports = Ports()
        self.ports = [self._free_ports.pick() for _ in range(shape.gateways)]
        self.proxies: dict[str, Proxy] = {}
        self.namespaces = {f"mac-{n + 1}": Namespace(n) for n in range(shape.workers if shape.is_apart else 0)}
        self.broker = Broker(self._free_ports.pick(), folder, fsync=shape.fsync)
        self.redis = connect(self.broker.url, name="driver")
        self.api_keys = {f"tenant-{number}": new_key() for number in range(shape.tenants)}
        self._folder = folder
        self._seed = seed
        self.gateways = [self._gateway(number) for number in range(shape.gateways)]
        self.workers = [self._worker(number) for number in range(shape.workers)]

    async def __aenter__(self) -> Self:
        """Start everything; returns when all workers take jobs."""
        try:
            for namespace in self.namespaces.values():
                namespace.open()
            self.broker.start()
            await self._write_model()
            await until(self.is_broker_up, "the broker is up")
            if self.shape.limits:
                pairs = [word for pair in self.shape.limits.items() for word in pair]
                await self.redis.command("HSET", self.keys.limits, *pairs)
            for proxy in self.proxies.values():
                await proxy.open()
            self._write_keys()
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
        for namespace in self.namespaces.values():
            namespace.close()
        self.broker.forget()
        self._free_ports.close()

    async def _write_model(self) -> None:
        if self.shape.model:
            folder = str(self._folder / self.shape.model)
            writing = await asyncio.create_subprocess_exec(
                *python("worker.catalog", "synthetic", self.shape.model, folder), stdout=asyncio.subprocess.DEVNULL
            )
            assert await writing.wait() == 0, f"{self.shape.model} can't be written"
            (Path(folder) / "chat_template.jinja").write_text(TEMPLATE)

    def _write_keys(self) -> None:
        store = KeyStore(self._folder / _KEYS)
        for tenant, key in self.api_keys.items():
            digest = digest_of(key.encode()).hex()
            store.add(KeyEntry(id=tenant, tenant=tenant, sha256=digest, created=datetime.now(UTC)))

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
        keys = ["--api-keys-file", str(self._folder / _KEYS)] if self.shape.tenants else []
        return Process(name, "gateway", [*argv, *keys], self._folder)

    def _worker(self, number: int) -> Process:
        name, shape = f"mac-{number + 1}", self.shape
        flags = ["--queue", MODEL, "--name", name, "--slots", str(shape.slots), "--drain-s", str(shape.drain_s)]
        argv = python("worker", "--redis", self._way(name), *flags, *self._engine(number))
        if name in self.namespaces:
            argv = [*self.namespaces[name].prefix, *argv]
        return Process(name, "worker", argv, self._folder, {"MLX_POOL_BLAS": "reference"})

    def _engine(self, number: int) -> list[str]:
        shape = self.shape
        if shape.model:
            return ["--model", str(self._folder / shape.model), "--context-tokens", "2048"]
        fault = " --fault crash@30" if number < shape.sick else ""
        return ["--engine", "scripted", "--engine-args", f"--step-ms {shape.step_ms}{fault}"]

    def _way(self, name: str) -> str:
        if not self.shape.is_proxied and name not in self.namespaces:
            return self.broker.url
        host = self.namespaces[name].here if name in self.namespaces else HOST
        chance = random.Random(f"{self._seed}/{name}")
        proxy = self.proxies[name] = Proxy(self._free_ports.pick(), self.broker.port, chance, host=host)
        return f"redis://{host}:{proxy.port}/0"


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


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
