"""A part's log: what it wrote, kept within a size."""

from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 8 << 20
_LONGEST_LINE_BYTES = 1 << 16


class LogFile:
    """A file that is put aside as `<name>.1` once it is full; the one put aside before goes."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append; it is on its way to the disk when this returns."""
        if self._file.tell() + len(data) > self._max_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Lines:
    """Lines out of bytes that come in pieces; an overlong one is cut, so that nothing grows without bound."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Give the lines that these bytes complete, without their ends."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_LONGEST_LINE_BYTES:]
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
