"""Room on a disk: measured, and asked for before a long copy or download begins."""

import shutil
from pathlib import Path

from shared.errors import Fault

# What is left to others: a full disk stops the queue's log as well.
_REST_BYTES = 200_000_000
_GB = 1_000_000_000


def free_bytes(folder: Path) -> int | None:
    """Measure what can be written in a folder, which need not exist yet; None where it can't be told."""
    place = next((path for path in (folder, *folder.absolute().parents) if path.is_dir()), None)
    try:
        return shutil.disk_usage(place).free if place else None
    except OSError:
        return None


def check_room(what: str, needed: int, folder: Path) -> None:
    """Raise unless the disk has room for this many bytes more in the folder.

    Raises:
        Fault: it has not; the message has both sizes.

    """
    free = free_bytes(folder)
    if free is not None and needed + _REST_BYTES > free:
        raise Fault(
            "internal",
            f"{what} needs {needed / _GB:.1f} GB of disk, and {folder.parent} has {free / _GB:.1f} GB free: make room, "
            "or name a folder on another disk in MLX_POOL_MODELS.",
        )
