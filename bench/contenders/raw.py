"""mlx-lm's BatchGenerator with nothing around it, in a process of its own: the figure that a server is measured by."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from bench.load.orders import Order, Result
from bench.rig.load_generator import LoadGenerator

from .contender import Asked, Setting

_THREADS: tuple[str, ...] = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class RawContender:
    """A process that takes prompts and counts ids: no text, no pipe, no server."""

    def __init__(self, generator: LoadGenerator) -> None:
        self._generator = generator

    def measure(self, load: Asked) -> Result:
        """Carry a load out in the process itself."""
        return self._generator.carry_out(Order(bodies=load.bodies()))


@contextlib.contextmanager
def start(folder: Path, setting: Setting) -> Generator[RawContender]:
    """Run it in the block, with as many BLAS threads as the pool's engine gives itself."""
    with LoadGenerator(folder, "bench.contenders.raw_batch", "--model", setting.model) as generator:
        yield RawContender(generator)


@contextlib.contextmanager
def start_on_all_cores(folder: Path, setting: Setting) -> Generator[RawContender]:
    """Run it in the block with a BLAS thread for every core: it has nobody to leave one to."""
    env = dict.fromkeys(_THREADS, str(os.cpu_count() or 1))
    with LoadGenerator(folder, "bench.contenders.raw_batch", "--model", setting.model, env=env) as generator:
        yield RawContender(generator)
