"""A server of the chat completions API as a contender: one process that takes requests, batches, and streams text."""

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

from bench.load.orders import Result, ViaCompletions
from bench.rig.load_generator import LoadGenerator
from bench.rig.pool import is_open
from bench.rig.process import Died, Process, python

from .completion import completion_of
from .contender import Asked, Unavailable

# Models are folders on this machine: nobody is asked for anything.
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1"}


class PeerContender:
    """A server that is not ours, asked the same over HTTP."""

    def __init__(self, server: Process, port: int, generator: LoadGenerator) -> None:
        self._server = server
        self._port = port
        self._generator = generator

    def measure(self, load: Asked) -> Result:
        """Carry a load out over HTTP."""
        bodies = [completion_of(body) for body in load.bodies()]
        return self._generator.carry_out(
            ViaCompletions(bodies=bodies, watch={"engine": self._server.pid}, port=self._port)
        )


@contextlib.contextmanager
def serving(name: str, command: Sequence[str], port: int, folder: Path) -> Generator[PeerContender]:
    """Run a peer's command in the block, on the BLAS that our engine has.

    Raises:
        Unavailable: it did not get to listen on its port.

    """
    argv = python("bench.contenders.with_blas", *command)
    with Process(name, argv, folder, _ENVIRONMENT) as server, LoadGenerator(folder) as generator:
        try:
            server.wait_until(lambda: is_open(port))
        except Died as death:
            raise Unavailable(f"it does not start: {' '.join(str(death).split())[-500:]}") from death
        yield PeerContender(server, port, generator)
