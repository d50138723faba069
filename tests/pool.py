"""A whole pool of real processes on loopback: broker, gateway, and workers with the scripted engine."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest

from shared.connection import Broker as Client
from shared.connection import connect
from tests.ports import FreePort

MODEL = "scripted"


class Pool:
    """One gateway and any number of workers on the test's broker.

    A `tree` is where the code is of which a part is run; None: it is this checkout.
    """

    def __init__(
        self,
        broker: str,
        port: int,
        logs: Path,
        env: Mapping[str, str],
        urls: Mapping[str, str] | None = None,
        *,
        tree: Path | None = None,
    ) -> None:
        self.broker = broker
        self._urls = urls or {}  # by which a part comes to the broker, if not by that one
        self._env = env
        self.workers: list[subprocess.Popen[bytes]] = []
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self._logs = logs
        self.url = f"http://127.0.0.1:{port}"
        self._gateway = self._start("gateway", "--port", str(port), tree=tree)

    def restart_gateway(self, by: signal.Signals, *, tree: Path | None = None) -> None:
        """End the gateway by this signal, and start it again where it was."""
        self._gateway.send_signal(by)
        self._gateway.wait(20)
        self._gateway = self._start("gateway", "--port", str(self.http.base_url.port), tree=tree)

    def add_worker(
        self, *, slots: int = 4, step_ms: float = 5, engine_args: str = "", tree: Path | None = None
    ) -> None:
        """Start one more worker: nobody else has to be told."""
        engine_args = f"--step-ms {step_ms} {engine_args}"
        flags = ["--engine", "scripted", "--slots", str(slots), "--engine-args", engine_args, "--drain-s", "0.2"]
        self.workers.append(self._start("worker", *flags, "--name", f"mac-{len(self.workers) + 1}", tree=tree))

    def add_worker_of(self, *models: str, room_gb: float) -> None:
        """Start a worker that loads these models on demand, NAME=GIB each, with room for so much."""
        flags = ["--engine", "scripted", "--on-demand", ",".join(models), "--models-memory-gb", str(room_gb)]
        self.workers.append(self._start("worker", *flags, "--drain-s", "0.2", "--name", f"mac-{len(self.workers) + 1}"))

    def add_mlx_worker(self, model: str) -> None:
        """Start a worker with a real model; on MLX's own BLAS, whose results are the same bit for bit in any batch."""
        flags = ["--model", model, "--slots", "8", "--drain-s", "0.2", "--name", f"mac-{len(self.workers) + 1}"]
        self.workers.append(self._start("worker", *flags, MLX_POOL_BLAS="reference"))

    async def ready(self, workers: int) -> None:
        """Wait until so many workers take jobs."""
        deadline = time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline, f"the pool is not ready; see {self._logs}"
            with contextlib.suppress(httpx.TransportError):
                seen = (await self.http.get("/pool")).json()["workers"]
                if sum(worker["state"] == "ready" for worker in seen) >= workers:
                    return
            await asyncio.sleep(0.02)  # the cores are theirs who start

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """A connection to the broker, as another service would have."""
        client = connect(self.broker, name="another-service")
        try:
            yield client
        finally:
            await client.aclose()

    async def busy(self, slots: int) -> bool:
        """Whether so many slots are taken, as the workers tell with their beats."""
        return sum(worker["busy"] for worker in (await self.http.get("/pool")).json()["workers"]) == slots

    def logged(self) -> str:
        """All that its processes have said."""
        return "".join(path.read_text("utf-8", errors="replace") for path in sorted(self._logs.glob("*.log")))

    async def close(self) -> None:
        """End every process."""
        await self.http.aclose()
        for process in [*self.workers, self._gateway]:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in [*self.workers, self._gateway]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def _start(self, module: str, *flags: str, tree: Path | None = None, **env: str) -> subprocess.Popen[bytes]:
        env |= {"PYTHONPATH": str(tree)} if tree else {}
        with (self._logs / f"{module}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, "--redis", self._urls.get(module, self.broker), *flags],
                stderr=log,
                cwd=tree,
                env=os.environ | {"NO_COLOR": "1"} | dict(self._env) | env,
            )


StartPool = Callable[..., AbstractAsyncContextManager[Pool]]


@pytest.fixture
def start_pool(broker: str, free_port: FreePort, tmp_path: Path) -> StartPool:
    """Give what starts a pool, for one `async with` block."""

    @contextlib.asynccontextmanager
    async def start(
        *,
        workers: int = 1,
        slots: int = 4,
        step_ms: float = 5,
        engine_args: str = "",
        key: str = "",
        env: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Pool]:
        given = {"MLX_POOL_API_KEY": key} if key else {}
        pool = Pool(broker, free_port(), tmp_path, given | dict(env or {}))
        pool.http.headers.update({"authorization": f"Bearer {key}"} if key else {})
        try:
            for _ in range(workers):
                pool.add_worker(slots=slots, step_ms=step_ms, engine_args=engine_args)
            await pool.ready(workers)
            yield pool
        finally:
            await pool.close()

    return start
