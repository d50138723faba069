"""Where `mlx-pool join` begins: the address goes out of the list of processes before anything else is done.

Every user of a machine can read the arguments of every process, but the environment of their own only.
"""

import importlib
import os
import sys
from collections.abc import Sequence

from mlx_pool.part import part_argv


def run(argv: Sequence[str]) -> int:
    """Run the command; with an address among the words, as the same process under a command line without it."""
    address, rest = taken_out(argv)
    if address is not None:
        sys.stdout.flush()
        command = part_argv("mlx_pool", ("join", *rest))
        os.execve(command[0], command, {**os.environ, "MLX_POOL_REDIS_URL": address})  # noqa: S606 -- our own interpreter and module
    # Only now: what it imports would be loaded twice, and the address be seen meanwhile.
    return importlib.import_module("mlx_pool.join.command").run(argv)


def taken_out(argv: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Part the address, the first word that looks like one, from the others."""
    at = next((at for at, word in enumerate(argv) if "://" in word and not word.startswith("-")), None)
    return (None, tuple(argv)) if at is None else (argv[at], (*argv[:at], *argv[at + 1 :]))
