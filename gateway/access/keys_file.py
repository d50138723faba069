"""The file of keys as a gateway sees it: read again when it has changed, so that a key is revoked without a restart."""

import math
from pathlib import Path

import structlog

from shared.key_file import KeyFileError, read_keys

from .ring import Ring

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
LOOK_EVERY_S = 1.0

_Signature = tuple[int, int, int]


class KeysFile:
    """The keys that a file holds; what can't be read leaves those in force that were read before."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            KeyFileError: it can't be used.

        """
        self._path = path
        self._signature = _signature_of(path)
        self._ring = Ring.of(read_keys(path))
        self._looked_at_s = -math.inf

    def ring(self, now_s: float) -> Ring:
        """The keys in force, at most a second behind the file; `now_s` by any clock that only goes forward."""
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._looked_at_s = now_s
            self._look()
        return self._ring

    def _look(self) -> None:
        # Before it is read: what is written meanwhile has another signature, and is read the next time.
        signature = _signature_of(self._path)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            keys = read_keys(self._path)
        except KeyFileError as error:
            log.error("keys_file_unusable", message=f"{error}; the keys that were read before stay in force")  # noqa: TRY400 no trace is of use
        else:
            self._ring = Ring.of(keys)
            log.info("keys_read", keys=len(keys))


def _signature_of(path: Path) -> _Signature | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
