"""A part's log: what it wrote, kept within a size."""

import contextlib
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
        """Append; it is on its way to the disk when this returns. What can't be written now is not kept.

        Whoever reads a part's pipe has to go on: were a full disk its end, the part would stand still soon.
        """
        with contextlib.suppress(OSError):
            if self._file.tell() + len(data) > self._max_bytes:
                self._begin_anew()
            self._file.write(data)

    def _begin_anew(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # it was put aside before, and no other could be made then
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        file = self._path.open("ab", buffering=0)
        self._file.close()
        self._file = file

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
