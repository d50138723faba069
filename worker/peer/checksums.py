"""The checksums of a file's pieces: computed once, and noted beside the models until the file changes."""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .manifest import PIECE_BYTES

_BLOCK_BYTES = 4 << 20


class _Note(msgspec.Struct, frozen=True):
    """What a file looked like when its pieces were read."""

    size: int
    mtime_ns: int
    inode: int
    pieces: tuple[str, ...]


class Checksums:
    """Remembers a folder's checksums in a file; where that can't be written they are computed each time."""

    def __init__(self, notes: Path) -> None:
        self._path = notes
        self._known = _read(notes)
        self._used: dict[str, _Note] = {}

    def pieces_of(self, file: Path) -> tuple[str, ...]:
        """Give the SHA-256 of each piece. Blocks, at a gigabyte a second or so, if they are not known."""
        seen = file.stat()
        note = self._known.get(file.name)
        if note is None or (note.size, note.mtime_ns, note.inode) != (seen.st_size, seen.st_mtime_ns, seen.st_ino):
            note = _Note(seen.st_size, seen.st_mtime_ns, seen.st_ino, tuple(_computed(file)))
        self._used[file.name] = note
        return note.pieces

    def keep(self) -> None:
        """Write down what was asked for, and forget the rest."""
        if self._used == self._known:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            new.write_bytes(msgspec.json.encode(self._used))
            new.replace(self._path)


def piece_of(file: Path, number: int) -> str | None:
    """Compute the SHA-256 of a file's piece; None behind its end."""
    with file.open("rb") as stream:
        stream.seek(number * PIECE_BYTES)
        digest, left = hashlib.sha256(), PIECE_BYTES
        while left and (block := stream.read(min(left, _BLOCK_BYTES))):
            digest.update(block)
            left -= len(block)
    return None if left == PIECE_BYTES else digest.hexdigest()


def _computed(file: Path) -> Iterator[str]:
    for number in itertools.count():
        piece = piece_of(file, number)
        if piece is None:
            return
        yield piece


def _read(notes: Path) -> dict[str, _Note]:
    try:
        return msgspec.json.decode(notes.read_bytes(), type=dict[str, _Note])
    except (OSError, msgspec.DecodeError):
        return {}
