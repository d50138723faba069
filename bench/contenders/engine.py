"""The pool's engine alone, over its pipe: what agent, broker and gateway cost is the pool's distance from it."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from bench.load.orders import Result, ViaPipe
from bench.rig.load_generator import LoadGenerator
from bench.rig.process import python

from .contender import Asked, Setting


class EngineContender:
    """An engine that the load generator itself speaks to."""

    def __init__(self, generator: LoadGenerator, command: list[str]) -> None:
        self._generator = generator
        self._command = command

    def measure(self, load: Asked) -> Result:
        """Carry a load out over the pipe."""
        return self._generator.carry_out(ViaPipe(bodies=load.bodies(), command=self._command))


@contextlib.contextmanager
def start(folder: Path, setting: Setting) -> Generator[EngineContender]:
    """Run it in the block."""
    command = python("worker.engine", "--model", setting.model, "--slots", str(setting.slots))
    with LoadGenerator(folder) as generator:
        yield EngineContender(generator, command)
