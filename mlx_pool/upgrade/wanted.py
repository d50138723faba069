"""What is to be installed, in the words that pip and uv understand."""

import re
from collections.abc import Sequence
from pathlib import Path

from mlx_pool.failure import Unusable

from .installation import NAME

_VERSION = re.compile(r"\d[A-Za-z0-9.!+_-]*")


def requirement(to: str | None, extras: Sequence[str]) -> str:
    """Give the requirement: the newest version where none was asked for, else that version, wheel or folder.

    Raises:
        Unusable: it is none of them.

    """
    named = f"{NAME}[{','.join(extras)}]" if extras else NAME
    if to is None:
        return named
    # A folder of the name of a version is written as ./0.2
    if _VERSION.fullmatch(to) and "/" not in to:
        return f"{named}=={to}"
    path = Path(to).expanduser()
    if (path.is_file() and path.suffix == ".whl") or (path / "pyproject.toml").is_file():
        return f"{named} @ {path.resolve().as_uri()}"
    raise Unusable(f"--to {to}: expected a version, or a wheel or a folder with a pyproject.toml that is there.")


def shown(wanted: str) -> str:
    """Give it in few words: of a path its last."""
    return wanted.rpartition("/")[2] if " @ " in wanted else wanted


def install_argv(python: Path, wanted: str, uv: str | None) -> tuple[str, ...]:
    """Give the command line that installs it with what it needs; what is good enough for it stays as it is."""
    if uv is not None:
        return (uv, "pip", "install", "--python", str(python), "--upgrade-package", NAME, wanted)
    quiet = ("--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar", "off")
    return (str(python), "-m", "pip", "install", *quiet, "--upgrade", wanted)
