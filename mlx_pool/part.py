"""Parts of the pool as command lines: which interpreter runs them, and what has to be installed first."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Literal, NoReturn

from .failure import Unusable
from .where import known_redis_url

Engine = Literal["mlx", "scripted"]
_NEEDS = {"gateway": ("uvicorn", "gateway"), "mlx": ("mlx_lm", "worker")}


def part_argv(module: str, argv: Sequence[str]) -> tuple[str, ...]:
    """Give the command line that runs a part.

    `-P` keeps the folder we stand in off the module path: a folder of the user's that is called `shared` or `worker`
    would else be imported in place of ours.
    """
    return (sys.executable, "-P", "-m", module, *argv)


def become(module: str, argv: Sequence[str]) -> NoReturn:
    """Turn this process into the part, so that signals and exit code are the part's own.

    Where `up` runs on this machine and nobody names another queue, a part that wants one finds that one.
    """
    if module == "gateway":
        require("gateway")
    env = dict(os.environ)
    if (queue := known_redis_url(env)) is not None:
        env["MLX_POOL_REDIS_URL"] = queue
    sys.stdout.flush()
    command = part_argv(module, argv)
    os.execve(command[0], command, env)  # noqa: S606 -- our own interpreter and module


def require(what: Literal["gateway", "mlx"]) -> None:
    """Raise `Unusable` with the line that installs it when a part's libraries are not there."""
    module, extra = _NEEDS[what]
    if importlib.util.find_spec(module) is None:
        raise Unusable(f"This needs `{module}`, which is not installed: pip install 'mlx-pool[{extra}]'.")
