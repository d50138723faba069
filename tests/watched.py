"""A Redis that Sentinels watch, on loopback: servers, one of them primary, and those who decide which."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as sync_redis

from tests.conftest import broker_binary
from tests.ports import FreePort

SERVICE = "pool"
_SENTINEL = """\
port {port}
dir "{folder}"
sentinel monitor {service} 127.0.0.1 {primary} {quorum}
sentinel down-after-milliseconds {service} 1000
sentinel failover-timeout {service} 6000
sentinel parallel-syncs {service} 1
"""


class Watched:
    """So many servers, the first of them primary, and as many Sentinels."""

    def __init__(self, folder: Path, free_port: FreePort, servers: int) -> None:
        self.servers = [free_port() for _ in range(servers)]
        self.sentinels = [free_port() for _ in range(servers)]
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Its address."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{places}/{SERVICE}/0"

    def start(self) -> None:
        """Start it; returns when the Sentinels know each other and every replica."""
        primary, *replicas = self.servers
        for port in self.servers:
            self._start(port, "--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0")
            # One that is cut off, or relieved, takes no more writes once the others have left it.
            self.ask(port, "CONFIG", "SET", "min-replicas-to-write", int(len(self.servers) > 2))
            self.ask(port, "CONFIG", "SET", "min-replicas-max-lag", 2)
        for port in replicas:
            _until(lambda port=port: self.ask(port, "REPLICAOF", "127.0.0.1", primary))
            _until(lambda port=port: self.ask(port, "ROLE")[3] == b"connected")
        for port in self.sentinels:
            folder = self._folder / str(port)
            folder.mkdir()
            quorum = len(self.sentinels) // 2 + 1
            text = _SENTINEL.format(port=port, folder=folder, service=SERVICE, primary=primary, quorum=quorum)
            (folder / "sentinel.conf").write_text(text)
            self._run(port, str(folder / "sentinel.conf"), "--sentinel")
        for port in self.sentinels:
            _until(lambda port=port: self._knows(port))

    def primary(self) -> int:
        """The port of the primary, as the first Sentinel has it."""
        return int(self.ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def fail_over(self) -> None:
        """Have a replica take over from a primary that is well, as an operator does."""
        self.ask(self.sentinels[0], "SENTINEL", "FAILOVER", SERVICE)

    def kill(self, port: int) -> None:
        """Kill a server, at once."""
        self._processes[port].kill()
        self._processes[port].wait()

    def close(self) -> None:
        """End all of it."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def ask(self, port: int, *words: str | int) -> Any:
        """Say something to one of them."""
        with sync_redis.Redis(port=port, socket_timeout=2, protocol=2) as client:
            client.response_callbacks.clear()  # replies as they come
            return client.execute_command(*words)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs

    def _knows(self, port: int) -> bool:
        told = self.ask(port, "SENTINEL", "MASTER", SERVICE)
        known = dict(zip(told[::2], told[1::2], strict=True))
        others = len(self.servers) - 1
        return int(known[b"num-slaves"]) == others == int(known[b"num-other-sentinels"])

    def _start(self, port: int, *options: str) -> None:
        folder = self._folder / str(port)
        folder.mkdir()
        self._run(port, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *options)

    def _run(self, port: int, *argv: str) -> None:
        self._processes[port] = subprocess.Popen([broker_binary(), *argv], stdout=subprocess.DEVNULL)
        _until(lambda: self.ask(port, "PING"))


def _until(holds: Callable[[], Any], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            if holds():
                return
        except (sync_redis.ConnectionError, sync_redis.TimeoutError):
            pass
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@pytest.fixture
def watched(tmp_path: Path, free_port: FreePort) -> Iterator[Callable[[int], Watched]]:
    """Give what starts one, with so many servers."""
    started: list[Watched] = []

    def start(servers: int) -> Watched:
        started.append(Watched(tmp_path, free_port, servers))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.close()
