"""The ends of log files, and what comes to them: the one place where they are read."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from .line import LogLine, read_line

_BLOCK_BYTES: Final = 1 << 16
_MOST_BYTES: Final = 8 << 20  # of a file, for its last lines
_SUFFIX: Final = ".log"


def log_files(folder: Path) -> dict[str, Path]:
    """Find the parts that have logged something, by name."""
    return {path.name.removesuffix(_SUFFIX): path for path in sorted(folder.glob(f"*{_SUFFIX}"))}


def in_order(lines: Sequence[LogLine]) -> list[LogLine]:
    """Put the lines of several parts in the order of their times; one without a time stays behind its part's last."""
    last: dict[str, str] = {}
    keyed: list[tuple[str, int, LogLine]] = []
    for number, line in enumerate(lines):
        last[line.part] = line.at or last.get(line.part, "")
        keyed.append((last[line.part], number, line))
    return [line for _, _, line in sorted(keyed, key=lambda each: each[:2])]


class Tail:
    """The end of one part's log; each line is given once, also where the file is put aside and begun anew."""

    def __init__(self, part: str, path: Path) -> None:
        self._part = part
        self._path = path
        self._inode = 0
        self._offset = 0  # how far it has been read
        self._rest = b""  # of a line that is not whole yet

    def last(self, count: int) -> list[LogLine]:
        """Give the last whole lines: those of the file that was put aside come first, where it takes them."""
        data = b""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            self._inode, self._offset = os.fstat(file.fileno()).st_ino, file.seek(0, os.SEEK_END)
            data = _end_of(file, count)
        whole, _, self._rest = data.rpartition(b"\n")
        lines = whole.split(b"\n")
        if len(lines) < count:
            with contextlib.suppress(FileNotFoundError), self._aside.open("rb") as file:
                file.seek(0, os.SEEK_END)
                lines = _end_of(file, count).split(b"\n") + lines
        return [self._read(line) for line in [line for line in lines if line][-count:]] if count else []

    def more(self) -> Iterator[LogLine]:
        """Give the lines that have become whole since the last call."""
        with contextlib.suppress(FileNotFoundError):
            if (inode := self._path.stat().st_ino) != self._inode:
                with contextlib.suppress(FileNotFoundError):
                    if self._aside.stat().st_ino == self._inode:  # what came to it before it was put aside
                        yield from self._rest_of(self._aside)
                self._inode, self._offset, self._rest = inode, 0, b""
            yield from self._rest_of(self._path)

    @property
    def _aside(self) -> Path:
        return self._path.with_name(f"{self._path.name}.1")

    def _rest_of(self, path: Path) -> Iterator[LogLine]:
        with path.open("rb") as file:
            while data := os.pread(file.fileno(), _BLOCK_BYTES, self._offset):
                self._offset += len(data)
                *whole, self._rest = (self._rest + data).split(b"\n")
                yield from (self._read(line) for line in whole if line)

    def _read(self, line: bytes) -> LogLine:
        return read_line(self._part, line.decode(errors="replace"))


def _end_of(file: BinaryIO, count: int) -> bytes:
    """Read backwards from where the file stands, block by block, until there are so many lines."""
    at, data = file.tell(), b""
    while at > 0 and data.count(b"\n") <= count and len(data) < _MOST_BYTES:
        size = min(_BLOCK_BYTES, at)
        at = file.seek(at - size)
        data = file.read(size) + data
    return data
