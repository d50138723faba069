"""An earlier version, out of this repository's own history: what others still run when this one arrives.

Its code is unpacked into a folder, with metadata that name its version, and runs on what is installed here: so no
network is needed, and its dependencies are those of today.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_NAMED = Path(__file__).with_name("last_released.txt")
_PARTS = ("gateway", "worker", "shared", "mlx_pool", "models/catalog.toml", "pyproject.toml")


class NoHistory(Exception):
    """There are no earlier versions here: a source archive, or a clone without its past."""


def last_released() -> str:
    """Read which version is tried; `POOL_EARLIER` names another one."""
    lines = _NAMED.read_text("utf-8").splitlines()
    return os.environ.get("POOL_EARLIER") or next(line for line in lines if line and not line.startswith("#"))


def unpack(name: str, folder: Path) -> Path:
    """Unpack a tag's or commit's code into a folder, which then is what `PYTHONPATH` has to name.

    Raises:
        NoHistory: no earlier version is known here. A name that a whole history does not have is an error.

    """
    _check_history()
    commit = _git("rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, *_PARTS))) as archive:
        archive.extractall(folder, filter="data")
    told = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    _name(folder, f"{told['project']['version']}+{commit[:9]}")
    return folder


def reworded(tree: Path, folder: Path) -> Path:
    """Copy a version, with a word more in each of its scripts: they do the same, and none has the same text."""
    shutil.copytree(tree, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for script in (folder / "shared" / "scripts").glob("*.lua"):
        script.write_text(f"-- Another wording.\n{script.read_text('utf-8')}", "utf-8")
    return folder


def _name(folder: Path, version: str) -> None:
    """Have the parts tell this version: metadata that lie nearer than those of what is installed win."""
    told = folder / "mlx_pool-0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mlx-pool\nVersion: {version}\n", "utf-8")


def _check_history() -> None:
    if shutil.which("git") is None:
        raise NoHistory("git is not installed")
    top = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if top.returncode or Path(top.stdout.strip()) != CHECKOUT:
        raise NoHistory("this is no clone, so it has no earlier versions")
    if _git("rev-parse", "--is-shallow-repository").strip() == b"true":
        raise NoHistory("this clone is shallow: `git fetch --unshallow` brings earlier versions")


def _git(*argv: str) -> bytes:
    return subprocess.run(["git", *argv], cwd=CHECKOUT, capture_output=True, check=True).stdout
