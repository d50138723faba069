"""Installing and removing as a list of deeds, decided from values and carried out by `command`."""

from pathlib import Path

import msgspec


class File(msgspec.Struct, frozen=True):
    """A file to be written. One that is `is_secret` is its reader's alone, and never shown."""

    path: Path
    text: str
    is_secret: bool = False


class Run(msgspec.Struct, frozen=True):
    """A command of the system's. `is_optional`: it may fail; `within_s`: it is tried again for so long.

    `advice` is what to do where it fails.
    """

    argv: tuple[str, ...]
    is_optional: bool = False
    within_s: float = 0.0
    advice: str = ""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Deeds in their order: `before`, then files and folders, then `after`; what is deleted goes last."""

    before: tuple[Run, ...] = ()
    files: tuple[File, ...] = ()
    folders: tuple[Path, ...] = ()  # to be there, and the owner's
    after: tuple[Run, ...] = ()
    deleted: tuple[Path, ...] = ()
    hints: tuple[str, ...] = ()
