"""The worker as a service of this machine, by `mlx-pool service`: it keeps the address in a file of its user's own."""

import subprocess
from collections.abc import Mapping, Sequence

from mlx_pool.failure import Failed, Unusable
from mlx_pool.part import part_argv
from mlx_pool.up.restart import USAGE

_VOICE = "mlx-pool: "


def service_command(flags: Sequence[str]) -> tuple[str, ...]:
    """Give the command line that installs it."""
    return part_argv("mlx_pool", ("service", "install", "worker", *flags))


def install(flags: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Install it, in place of the one that is there; gives what the command said.

    Raises:
        CommandError: it can't be; the words are the command's own.

    """
    ended = subprocess.run(  # noqa: S603 -- our own interpreter and module
        service_command(flags), capture_output=True, text=True, check=False, env=env, stdin=subprocess.DEVNULL
    )
    said = [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
    if not ended.returncode:
        return said
    words = said[-1].removeprefix(_VOICE) if said else "It could not be made a service."
    raise Unusable(words) if ended.returncode == USAGE else Failed(words)
