"""An environment of its own for a peer, whose needs are not ours: made with uv, once, under the user's cache folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .contender import Unavailable

_WITHIN_S = 900.0
_NEVER = '; sys_platform == "never"'


class Needs(msgspec.Struct, frozen=True):
    """What to install, as of a day, and which packages to leave out though others ask for them."""

    name: str
    packages: tuple[str, ...]
    left_out: tuple[str, ...]
    as_of: str  # uv's --exclude-newer: the same versions on every machine


def programs_of(needs: Needs) -> Path:
    """The folder of the environment's programs. Making it takes minutes and the network the first time.

    Raises:
        Unavailable: there is no uv, or the packages do not install here.

    """
    folder = _cache_folder() / needs.name
    done = folder / "installed.json"
    wanted = msgspec.json.encode(needs)
    if not done.is_file() or done.read_bytes() != wanted:
        _make(folder, needs)
        done.write_bytes(wanted)
    return folder / "bin"


def _make(folder: Path, needs: Needs) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")  # `uv run` tells where it is
    if not uv:
        raise Unavailable("uv, which makes its environment, is not on the PATH")
    print(f"… installing {needs.name} into {folder}", file=sys.stderr, flush=True)
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], Path.home())
    overrides = folder / "left-out.txt"
    overrides.write_text("".join(f"{package}{_NEVER}\n" for package in needs.left_out))
    where = ("--python", str(folder / "bin" / "python"), "--override", str(overrides))
    # From within the environment: uv also reads the settings of the project that it is run in.
    _run([uv, "pip", "install", "--quiet", *where, "--exclude-newer", needs.as_of, *needs.packages], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_WITHIN_S)
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())[:500]
        raise Unavailable(f"it does not install: {said or f'uv ended with {error.returncode}'}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"it was not installed within {_WITHIN_S:.0f} s") from error


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlx-pool" / "bench"
