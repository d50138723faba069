"""A pool whose parts can be killed and started again: a broker, two gateways, workers with the scripted engine."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.rig.pool import HOST, free_port, get_json, is_open
from bench.rig.process import Died, Process, python
from mlx_pool.up.broker import broker_config, write_private

GATEWAYS = ("gateway-1", "gateway-2")
_PASSWORD = "bench"
_READY_WITHIN_S = 60.0
_POLL_S = 0.05


class Shape(msgspec.Struct, frozen=True):
    """How many workers, and how they are set."""

    workers: int
    slots: int
    step_ms: float  # of the scripted engine
    model: str = ""  # a real one instead


class Pool:
    """Running parts by name; one that was killed is started again under the same name, at the same port."""

    def __init__(self, folder: Path, broker: str, shape: Shape) -> None:
        self._folder = folder
        data = folder / "data"
        data.mkdir()
        config = folder / "broker.conf"
        broker_port = free_port()
        write_private(config, broker_config(port=broker_port, hosts=(HOST,), password=_PASSWORD, folder=data))
        self._env = {"MLX_POOL_REDIS_URL": f"redis://:{_PASSWORD}@{HOST}:{broker_port}/0"}
        self.ports = {name: free_port() for name in GATEWAYS}
        self._broker_port = broker_port
        self._argv: Mapping[str, Sequence[str]] = {
            "broker": [broker, str(config)],
            **{name: python("gateway", "--host", HOST, "--port", str(port)) for name, port in self.ports.items()},
            **{f"mac-{number + 1}": _worker(f"mac-{number + 1}", shape) for number in range(shape.workers)},
        }
        self._running: dict[str, Process] = {}

    def start(self, name: str) -> None:
        """Start a part; returns when it answers, a worker when it takes jobs."""
        process = self._running[name] = Process(name, self._argv[name], self._folder, self._env)
        process.wait_until(lambda: self._is_up(name))

    def kill(self, name: str) -> None:
        """Kill a part with SIGKILL."""
        os.kill(self._running[name].pid, signal.SIGKILL)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Signal a part."""
        os.kill(self._running[name].pid, number)

    def engine_of(self, name: str) -> int:
        """The process id of a worker's engine, the newest one."""
        told = [line for line in self._running[name].log.read_text().splitlines() if '"engine_started"' in line]
        return int(msgspec.json.decode(told[-1])["engine_pid"])

    def bury(self, name: str) -> None:
        """Wait for the end of a part that was killed."""
        self._running.pop(name).stop()

    def is_open(self, name: str) -> bool:
        """Whether the broker, or a gateway, takes connections."""
        return is_open(self._broker_port if name == "broker" else self.ports[name])

    def summary(self) -> dict[str, Any]:
        """What waits and who works."""
        return self._ask("/pool")

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a condition.

        Raises:
            Died: it did not hold in time.

        """
        deadline = time.monotonic() + _READY_WITHIN_S
        while not holds():
            if time.monotonic() > deadline:
                raise Died(f"not within {_READY_WITHIN_S:.0f} s: {what}")
            time.sleep(_POLL_S)

    def is_ready(self, name: str) -> bool:
        """Whether a worker takes jobs, under its present process."""
        pid = str(self._running[name].pid)
        return any(
            worker["state"] == "ready" and worker["id"].rsplit(".", 2)[1] == pid for worker in self.summary()["workers"]
        )

    def stop(self) -> None:
        """End everything, the broker last."""
        for name in [*[name for name in self._running if name != "broker"], "broker"]:
            if name in self._running:
                self._running.pop(name).stop()

    def _is_up(self, name: str) -> bool:
        return self.is_ready(name) if name.startswith("mac-") else self.is_open(name)

    def _ask(self, path: str) -> dict[str, Any]:
        for port in self.ports.values():
            with contextlib.suppress(OSError):
                return get_json(port, path)
        return {"workers": [], "queues": []}

    @property
    def workers(self) -> list[str]:
        """The workers' names."""
        return [name for name in self._argv if name.startswith("mac-")]


@contextlib.contextmanager
def pool(folder: Path, broker: str, shape: Shape) -> Generator[Pool]:
    """Run a pool in the block, from the moment that all its workers take jobs."""
    running = Pool(folder, broker, shape)
    try:
        for name in ("broker", *GATEWAYS, *running.workers):
            running.start(name)
        yield running
    finally:
        running.stop()


def _worker(name: str, shape: Shape) -> list[str]:
    scripted = ["--engine", "scripted", "--engine-args", f"--step-ms {shape.step_ms:g}"]
    engine = ["--model", shape.model] if shape.model else scripted
    return python("worker", "--name", name, "--drain-s", "0", "--slots", str(shape.slots), *engine)
