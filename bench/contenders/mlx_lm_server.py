"""mlx_lm.server: the library's own HTTP server, from the environment that our engine has it from.

It batches by itself: 32 seats, and eight prompts read at once unless more are asked for. An idle server takes a request
at once, a busy one looks for new ones every half second. Each row has a sampler of its own, and the library then runs
the rows apart. It listens with a backlog of five: of a burst of clients many wait a second for the kernel's second try.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path

from bench.rig.pool import HOST, free_port
from bench.rig.process import python

from .contender import Setting
from .peer import PeerContender, serving


@contextlib.contextmanager
def start(folder: Path, setting: Setting) -> Generator[PeerContender]:
    """Run it in the block, with as many seats as the pool."""
    port, slots = free_port(), str(setting.slots)
    seats = ("--decode-concurrency", slots, "--prompt-concurrency", slots)
    command = python("mlx_lm", "server", "--model", setting.peers_model, "--host", HOST, "--port", str(port), *seats)
    with serving("mlx_lm.server", command, port, folder) as contender:
        yield contender
