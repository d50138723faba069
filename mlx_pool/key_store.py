"""The file of API keys, changed: one writer at a time, and readers see the old file or the new one, whole."""

import contextlib
import fcntl
import os
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

from shared.key_file import KeyEntry, KeyFileError, encode_keys, read_keys

from .data_folder import DataFolder
from .failure import Unusable


def keys_file(folder: DataFolder, env: Mapping[str, str]) -> Path:
    """Choose the file: the one that the environment names to gateways too, else that of the `up` on this folder."""
    named = env.get("MLX_POOL_API_KEYS_FILE")
    return Path(named).expanduser() if named else folder.api_keys


class KeyStore:
    """The keys of one file; no file is no keys."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # a link stays one: what it points to is replaced

    def read(self) -> tuple[KeyEntry, ...]:
        """The keys.

        Raises:
            Unusable: there is a file, and it can't be used.

        """
        if not self.path.exists():
            return ()
        try:
            return read_keys(self.path)
        except KeyFileError as error:
            raise Unusable(f"{error}.") from error

    def create(self) -> None:
        """Make the file, without keys, if there is none."""
        with self._held():
            if not self.path.exists():
                self._write(())

    def add(self, entry: KeyEntry) -> None:
        """Add a key.

        Raises:
            Unusable: there is one of this id, or the file can't be written.

        """
        with self._held():
            keys = self.read()
            if any(key.id == entry.id for key in keys):
                raise Unusable(f"There is a key {entry.id} already: revoke it first, or take another name.")
            self._write((*keys, entry))

    def revoke(self, key_id: str) -> None:
        """Take a key away.

        Raises:
            Unusable: there is none of this id, or the file can't be written.

        """
        with self._held():
            keys = self.read()
            kept = [key for key in keys if key.id != key_id]
            if len(kept) == len(keys):
                raise Unusable(f"There is no key {key_id}; `mlx-pool keys list` shows them.")
            self._write(kept)

    @contextlib.contextmanager
    def _held(self) -> Generator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unusable(f"{self.path} can't be written: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, keys: Iterable[KeyEntry]) -> None:
        scratch = self.path.with_name(f"{self.path.name}.new")
        try:
            with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 -- Path.open takes no mode bits
                os.fchmod(file.fileno(), 0o600)
                self._keep_owner(file.fileno())
                file.write(encode_keys(tuple(keys)))
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self.path)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise Unusable(f"{self.path} can't be written: {error.strerror}.") from error

    def _keep_owner(self, descriptor: int) -> None:
        # A gateway that runs as somebody else could not read the new file, and would keep revoked keys in force.
        if self.path.exists():
            old, new = self.path.stat(), os.fstat(descriptor)
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.fchown(descriptor, old.st_uid, old.st_gid)
