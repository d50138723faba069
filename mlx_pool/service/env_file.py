"""A file of variables, for its user's eyes only: systemd reads it, and so does `keep`."""

import re
import shlex
from collections.abc import Mapping

from mlx_pool.failure import Unusable

MODE = 0o600


def encode_env(env: Mapping[str, str]) -> str:
    """Write variables, one a line, in quotes that systemd and shells read alike.

    Raises:
        Unusable: a value has a line's end in it.

    """
    for name, value in env.items():
        if not value.isprintable():
            raise Unusable(f"{name} has a sign in it that can't stand in a file of variables.")
    return "".join(f'{name}="{_escaped(value)}"\n' for name, value in env.items())


def decode_env(text: str) -> dict[str, str]:
    """Read what `encode_env` has written, or a person has changed."""
    told: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = line.strip().partition("=")
        told[name] = "".join(shlex.split(value))
    return told


def _escaped(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value)
