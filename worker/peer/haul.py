"""One download: which pieces are missing, and several machines that bring them.

What is in the folder already, from a download that broke off, is read and checked like what comes: nothing is believed
for having been written once.
"""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec

from worker.catalog.disk import check_room
from worker.catalog.progress import Progress

from .checksums import piece_of
from .failure import PeersGone, Untrue
from .manifest import PIECE_BYTES, Manifest
from .source import Broken, Giver

_TRIES = 4  # of one machine in a row
_PAUSE_S = 0.5  # before the second, and twice as long before each further one


class _Piece(msgspec.Struct, frozen=True):
    """One piece that is to come: of the manifest's file `file`, its `number`-th."""

    file: int
    number: int
    length: int
    sha256: str


class Haul:
    """The pieces that are to come, and who brings them."""

    def __init__(self, queue: str, manifest: Manifest, into: Path, progress: Progress) -> None:
        self._queue = queue
        self._manifest = manifest
        self._into = into
        self._progress = progress
        self._wanted = SimpleQueue[_Piece]()
        self._left = 0
        self._from = ""
        self._came_bytes = 0
        self._told = -1.0
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._failures: list[Exception] = []
        self._broken: list[str] = []

    def run(self, givers: Sequence[Giver]) -> None:
        """Bring all that is missing; blocks.

        Raises:
            Untrue: a machine gave something else than the manifest says.
            PeersGone: none gives it any more; what came stays in the folder.
            Fault: the disk has no room; nothing has been written then.
            OSError: the folder can't be written.

        """
        _clear(self._into, self._manifest)
        missing = list(self._missing())
        self._left, self._from = len(missing), ", ".join(giver.id for giver in givers)
        to_come = sum(piece.length for piece in missing)
        check_room(self._queue, to_come, self._into)
        for file in self._manifest.files:
            with (self._into / file.name).open("ab") as stream:
                stream.truncate(file.size)
        self._came_bytes = self._manifest.bytes - to_come
        for piece in missing:
            self._wanted.put(piece)
        threads = [threading.Thread(target=self._bring, args=(giver,), daemon=True) for giver in givers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
        if self._left:
            raise PeersGone(f"{self._queue} came in part only ({'; '.join(self._broken)})")

    def _missing(self) -> Iterator[_Piece]:
        for at, file in enumerate(self._manifest.files):
            path = self._into / file.name
            if is_begun := path.is_file():
                self._progress(f"Checking what is here of {self._queue}", None)
            for number, sha256 in enumerate(file.pieces):
                if not is_begun or piece_of(path, number) != sha256:
                    yield _Piece(at, number, min(PIECE_BYTES, file.size - number * PIECE_BYTES), sha256)

    def _bring(self, giver: Giver) -> None:
        """Bring piece after piece from one machine, until there are none, or it is given up."""
        tries = 0
        try:
            while not self._ends.is_set() and self._left and tries < _TRIES:
                try:
                    piece = self._wanted.get(timeout=0.1)
                except Empty:
                    continue  # another machine has the last one, and may fail
                try:
                    self._fetch(giver, piece)
                    tries = 0
                except Broken as error:
                    tries += 1
                    self._wanted.put(piece)
                    if tries == _TRIES:
                        self._broken.append(f"{giver.id}: {error}")
                    else:
                        self._ends.wait(_PAUSE_S * 2 ** (tries - 1))
        except Untrue as error:
            self._fail(Untrue(f"{giver.id} is not to be trusted with {self._queue}: {error.message}"))
        except Exception as error:  # noqa: BLE001 -- a thread's: `run` raises it
            self._fail(error)

    def _fetch(self, giver: Giver, piece: _Piece) -> None:
        file = self._manifest.files[piece.file]
        start = piece.number * PIECE_BYTES
        digest, came = hashlib.sha256(), 0
        descriptor = os.open(self._into / file.name, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            with contextlib.closing(giver.piece(piece.file, start, piece.length, file.size)) as blocks:
                for block in blocks:
                    _write(descriptor, block, start + came)
                    digest.update(block)
                    came += len(block)
                    self._tell(len(block))
                    if self._ends.is_set():
                        return
        except Broken:
            self._tell(-came)
            raise
        finally:
            os.close(descriptor)
        if digest.hexdigest() != piece.sha256:
            raise Untrue(f"what it sent of {file.name} has another SHA-256 than it promised")
        with self._lock:
            self._left -= 1

    def _tell(self, came: int) -> None:
        with self._lock:
            self._came_bytes += came
            share = round(min(1.0, self._came_bytes / max(1, self._manifest.bytes)), 3)
            if share != self._told:
                self._told = share
                self._progress(f"Fetching {self._queue} from {self._from}", share)

    def _fail(self, error: Exception) -> None:
        self._failures.append(error)
        self._ends.set()


def _write(descriptor: int, block: bytes, at: int) -> None:
    """Write all of it: a full disk takes a part, and fails at the next."""
    left = memoryview(block)
    while left:
        written = os.pwrite(descriptor, left, at)
        left, at = left[written:], at + written


def _clear(into: Path, manifest: Manifest) -> None:
    """Remove what does not belong there: an earlier, other download's; a link could lead anywhere."""
    names = {file.name for file in manifest.files}
    for path in into.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in names or path.is_symlink():
            path.unlink()
