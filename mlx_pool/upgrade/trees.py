"""An environment as a tree of files: copied, put in another's place, taken away.

A copy's files are the same files under a second name, so it takes a moment and no room. Installers never write into a
file that is there, they put another in its place: the other name keeps the old one.
"""

import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

_SCRIPT_BYTES: Final = 1 << 16


class Beside(msgspec.Struct, frozen=True):
    """The names that stand beside an environment while it is upgraded."""

    prefix: Path

    @property
    def before(self) -> Path:
        """As it was: the way back, and where the upgrade itself runs from meanwhile."""
        return self._named("before")

    @property
    def next(self) -> Path:
        """What is going to take its place."""
        return self._named("next")

    @property
    def gone(self) -> Path:
        """What has lost its place."""
        return self._named("gone")

    def _named(self, what: str) -> Path:
        return self.prefix.with_name(f".{self.prefix.name}.{what}")


def copy(source: Path, target: Path) -> None:
    """Make a copy, in place of what bears its name."""
    remove(target)
    shutil.copytree(source, target, symlinks=True, copy_function=_link)


def swap(beside: Beside) -> None:
    """Put `next` in the environment's place. What runs from it goes on with the files that it has open."""
    remove(beside.gone)
    beside.prefix.rename(beside.gone)
    beside.next.rename(beside.prefix)
    remove(beside.gone)


def remove(tree: Path) -> None:
    """Take a tree away, if it is there; what can't be removed is left."""
    shutil.rmtree(tree, ignore_errors=True)


def settle_scripts(beside: Beside) -> None:
    """Have the commands in `next` call the interpreter of the place that it is going to have."""
    here, there = f"{beside.next}/".encode(), f"{beside.prefix}/".encode()
    for path in (beside.next / "bin").iterdir():
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _SCRIPT_BYTES:
            continue
        data = path.read_bytes()
        if data.startswith(b"#!") and here in data:
            scratch = path.with_name(f"{path.name}.settled")
            scratch.write_bytes(data.replace(here, there))
            shutil.copymode(path, scratch)
            scratch.replace(path)  # never into the file: it may have another name


def give_to_owner_of(owned: Path, tree: Path) -> None:
    """Make all of a tree belong to whom the other one belongs to, where root upgrades what is somebody else's."""
    owner = owned.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for folder, folders, files in os.walk(tree):
        for name in (".", *folders, *files):
            os.chown(Path(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        return  # what runs from it writes caches, under a name for a moment only
    except OSError:
        shutil.copy2(source, target)
