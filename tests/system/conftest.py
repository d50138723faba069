"""A whole pool as its user starts it: `mlx-pool up` as a process, its lines as they come, and what it left."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mlx_pool.up.state import State, read_state
from shared.connection import connect
from shared.pool import Pool
from shared.queue import Queue
from tests.ports import FreePort

MARK = "MLX_POOL_TEST_MARK"
READY_WITHIN_S = 60.0


class RunningUp:
    """One `mlx-pool up` with the scripted engine, in a folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, data: Path) -> None:
        self.process = process
        self.port = port
        self.data = data
        self.lines: list[str] = []
        self.more = asyncio.Condition()

    async def line(self, start: str, within_s: float = READY_WITHIN_S) -> str:
        """Wait for a line that begins so."""
        async with asyncio.timeout(within_s), self.more:
            await self.more.wait_for(lambda: self._find(start))
        return self._find(start)

    def _find(self, start: str) -> str:
        return next((line for line in self.lines if line.startswith(start)), "")

    def has_said(self, start: str) -> bool:
        """Tell whether there was a line that begins so."""
        return bool(self._find(start))

    def interrupt(self) -> bool:
        """Press Ctrl-C."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        return True

    async def exit_code(self, within_s: float = 30.0) -> int:
        """Wait for its end."""
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    @property
    def state(self) -> State:
        """What it says that it runs."""
        state = read_state(self.data / "up.json")
        assert state is not None
        return state

    def pid_of(self, name: str) -> int:
        """Give the pid of a part; 0 while it has none."""
        return next((running.identity.pid for running in self.state.running if running.name == name), 0)

    @asynccontextmanager
    async def queue(self) -> AsyncGenerator[Queue]:
        """Give the pool's queue, as a service that submits directly has it."""
        broker = connect(self.state.redis_url, name="test")
        try:
            yield Pool(broker).queue("scripted")
        finally:
            await broker.aclose()

    def key(self) -> dict[str, str]:
        """Give the header that opens a pool which asks for its key."""
        return {"Authorization": f"Bearer {(self.data / 'secrets' / 'api-key').read_text().strip()}"}

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """GET as JSON."""
        return self._ask("GET", path, None, headers)

    def chat(self, **body: object) -> tuple[int, Any]:
        """POST /chat, with the whole answer in one object."""
        return self._ask("POST", "/chat", json.dumps({"stream": False} | body), {})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json"} | headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def mlx_pool(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command beside it, which finds the pool by its data folder."""
        env = os.environ | {"MLX_POOL_DATA": str(self.data)}
        command = [sys.executable, "-P", "-m", "mlx_pool", *argv]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=env, timeout=60)


Ups = Callable[..., AbstractAsyncContextManager[RunningUp]]


@pytest.fixture
def up(tmp_path: Path, free_port: FreePort) -> Iterator[Ups]:
    """Give what starts pools, each for one `async with` block; whatever happens, all of it is ended."""

    @asynccontextmanager
    async def start(
        *argv: str, engine: str = "scripted", port: int | None = None, **env: str
    ) -> AsyncGenerator[RunningUp]:
        port = port or free_port()
        argv = ("--engine", engine, "--port", str(port), "--data", str(tmp_path / "data"), *argv)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mlx_pool", "up", *argv),
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {MARK: str(tmp_path), "MLX_POOL_LAN": "off"} | env,
        )
        pool = RunningUp(process, port, tmp_path / "data")
        reading = asyncio.create_task(_read(process, pool))
        try:
            yield pool
        finally:
            reading.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    yield start
    for pid in marked(tmp_path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def left(tmp_path: Path) -> Callable[[], list[int]]:
    """Give what finds the processes that a pool of this test has left, engines and all."""
    return lambda: marked(tmp_path)


async def _read(process: asyncio.subprocess.Process, pool: RunningUp) -> None:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        async with pool.more:
            pool.lines.append(line.decode().rstrip("\n"))
            pool.more.notify_all()


def marked(folder: Path) -> list[int]:
    """Find the processes that were started, by whomever, with this test's mark in their environment."""
    mark = f"{MARK}={folder}"
    if sys.platform == "linux":
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _environ(path)]
    listing = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    return [int(line.split()[0]) for line in listing.stdout.splitlines() if mark in line.split()]


def _environ(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
