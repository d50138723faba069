"""The pool as its clients meet it: HTTP, gateway, broker, agent, engine."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from bench.load.orders import Result, ViaHttp
from bench.rig.load_generator import LoadGenerator
from bench.rig.pool import Pool, Worker, pool

from .contender import Asked, Setting


class PoolContender:
    """A pool with one worker."""

    def __init__(self, running: Pool, worker: Worker, generator: LoadGenerator) -> None:
        self._port = running.port
        self._watch = running.pids | {"agent": worker.agent_pid, "engine": worker.engine_pid}
        self._generator = generator

    def measure(self, load: Asked) -> Result:
        """Carry a load out over HTTP."""
        return self._generator.carry_out(ViaHttp(bodies=load.bodies(), watch=self._watch, port=self._port))


@contextlib.contextmanager
def start(folder: Path, setting: Setting) -> Generator[PoolContender]:
    """Run it in the block."""
    with (
        pool(folder, broker=setting.broker) as running,
        LoadGenerator(folder) as generator,
        running.worker("--model", setting.model, "--slots", str(setting.slots)) as worker,
    ):
        yield PoolContender(running, worker, generator)
