"""The lock on a data folder: one `up` at a time, or the guardian that cleans up after one.

It is the kernel's lock on an open file, so it ends with its holder, however that ended.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from typing import Literal

Role = Literal["up", "guardian"]


class Held(Exception):
    """Somebody else holds the lock: in which role, as which process. Both are empty while it is just being taken."""

    def __init__(self, written: str) -> None:
        super().__init__(written)
        self.role, _, self.pid = written.partition(" ")


@contextlib.contextmanager
def hold(path: Path, role: Role, *, wait: bool = False) -> Generator[None]:
    """Hold the lock while the block runs; with `wait`, wait for its holder to leave.

    Raises:
        Held: somebody else holds it, and waiting was not asked for.

    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Held(os.pread(descriptor, 64, 0).decode()) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{role} {os.getpid()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
