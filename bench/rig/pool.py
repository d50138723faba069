"""A pool for the length of a measurement: the broker with the settings of `mlx-pool up`, a gateway, and workers."""

import contextlib
import http.client
import json
import socket
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlx_pool.up.broker import broker_binary, broker_config, write_private

from .process import Process, python

HOST = "127.0.0.1"
_PASSWORD = "bench"


class Worker(msgspec.Struct, frozen=True):
    """A worker that takes jobs: its agent's process and its engine's."""

    agent_pid: int
    engine_pid: int
    note: str  # what the engine computes on, in its own words


class Pool:
    """A broker and a gateway, running; workers are added by `worker`."""

    def __init__(self, folder: Path, broker: Process, gateway: Process, *, url: str, port: int) -> None:
        self.url = url
        self.port = port
        self.pids = {"gateway": gateway.pid, "broker": broker.pid}
        self._folder = folder
        self._count = 0

    @contextlib.contextmanager
    def worker(self, *flags: str, module: str = "worker") -> Generator[Worker]:
        """Run a worker in the block, from the moment that it takes jobs."""
        self._count += 1
        argv = python(module, *flags)
        with Process(f"worker-{self._count}", argv, self._folder, {"MLX_POOL_REDIS_URL": self.url}) as process:
            process.wait_until(lambda: self._has_worker(process.pid))
            told = list(_events(process.log))
            engine_pid = next(event["engine_pid"] for event in told if event["event"] == "engine_started")
            note = next(event["note"] for event in told if event["event"] == "engine_ready")
            yield Worker(process.pid, engine_pid, note)

    def _has_worker(self, pid: int) -> bool:
        answer = get_json(self.port, "/pool")
        ready = (worker["id"] for worker in answer.get("workers", ()) if worker["state"] == "ready")
        return any(worker_id.rsplit(".", 2)[1] == str(pid) for worker_id in ready)


@contextlib.contextmanager
def pool(folder: Path, *, broker: str | None = None, gateway_flags: Sequence[str] = ()) -> Generator[Pool]:
    """Run a pool without workers in the block. `broker` is a server's program; the embedded one without it."""
    port = free_port()
    argv = python("gateway", "--host", HOST, "--port", str(port), *gateway_flags)
    with (
        server(folder, broker) as (process, url),
        Process("gateway", argv, folder, {"MLX_POOL_REDIS_URL": url}) as gateway,
    ):
        gateway.wait_until(lambda: is_open(port))
        yield Pool(folder, process, gateway, url=url, port=port)


@contextlib.contextmanager
def server(folder: Path, broker: str | None = None) -> Generator[tuple[Process, str]]:
    """Run a broker alone in the block; its process and its URL. With nobody beside it there is no reaper."""
    port = free_port()
    data = folder / "data"
    data.mkdir(parents=True)
    config = folder / "broker.conf"
    write_private(config, broker_config(port=port, hosts=(HOST,), password=_PASSWORD, folder=data))
    with Process("broker", [broker or broker_binary(), str(config)], folder) as process:
        process.wait_until(lambda: is_open(port))
        yield process, f"redis://:{_PASSWORD}@{HOST}:{port}/0"


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def get_json(port: int, path: str) -> dict[str, Any]:
    """What a part answers, whatever the status."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _events(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text().splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)
