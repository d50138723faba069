"""Removing a model: only what lies among our own models, never what other programs keep, and nothing that is served."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from shared.errors import Fault, Refused

from .ensure import alone, partial_of, pool_partial_of
from .folders import folder_of
from .progress import Progress
from .resolve import resolve

_LIST_LIMIT_S = 5


def find_removable(name: str, models_dirs: Sequence[Path], env: Mapping[str, str]) -> Path:
    """Find the folder that removing this name means: a model, an adapter, half a download, or a broken folder.

    Raises:
        Refused: nothing of this name is here, or it lies elsewhere.

    """
    if not name:
        raise Refused("missing_field", "Name the model to remove.", param="model")
    if not name.startswith((".", "/", "~")):
        for folder in (models_dir / folder_of(name) for models_dir in models_dirs):
            if any(part.is_dir() for part in _parts(folder)):
                return folder
    model = resolve(name, models_dirs=models_dirs, env=env)
    folder = (model.adapter or model.folder).absolute()
    if folder.parent.resolve() not in {models_dir.resolve() for models_dir in models_dirs}:
        raise Refused(
            "invalid_value", f"{name} lies in {folder}, which is not mlx-pool's: remove it there.", param="model"
        )
    if not any(part.is_dir() for part in _parts(folder)):
        raise Refused("model_not_found", f"{name} is not on this machine.", param="model")
    return folder


def size_bytes(folder: Path) -> int:
    """Count the bytes that removing the folder gives back; what it only links to is not among them."""
    files = (path for part in _parts(folder) if part.is_dir() for path in part.rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink())


def remove(folder: Path, progress: Progress) -> None:
    """Remove a model folder and what an unfinished download left. Links are removed, what they lead to is kept.

    Raises:
        Refused: a worker on this machine serves it.
        Fault: it can't be removed.

    """
    if is_served(folder, _commands()):
        raise Refused("invalid_value", f"A worker serves {folder}: stop it first.", param="model")
    gone = folder.with_name(f".{folder.name}.removed")
    try:
        with alone(folder, progress):
            if folder.is_dir():
                # Away at once: half a model must not be taken for a whole one.
                shutil.rmtree(gone, ignore_errors=True)
                folder.rename(gone)
            for rest in (gone, *_parts(folder)[1:]):
                if rest.is_symlink():
                    rest.unlink()
                elif rest.exists():
                    shutil.rmtree(rest)
    except OSError as error:
        raise Fault("internal", f"{folder} can't be removed: {error.strerror or error}.") from error


def is_served(folder: Path, commands: Iterable[str]) -> bool:
    """Tell whether one of these command lines is an engine that has loaded from the folder."""
    loaded = re.compile(rf"worker\.engine\b.* --(model|adapter) {re.escape(str(folder))}/?( |$)")
    return any(loaded.search(command) for command in commands)


def _parts(folder: Path) -> tuple[Path, ...]:
    """List the model's folder, and where it lies while it is not whole."""
    return folder, partial_of(folder), pool_partial_of(folder)


def _commands() -> list[str]:
    """List the command lines of this machine's processes; none where there is nothing to list them."""
    ps = shutil.which("ps")
    try:
        listed = subprocess.run([ps or "ps", "-A", "-ww", "-o", "args="], capture_output=True, timeout=_LIST_LIMIT_S)  # noqa: S603, PLW1510 -- a fixed command, and its failure means that nothing is known
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed.stdout.decode(errors="replace").splitlines()
