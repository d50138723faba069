"""Ports for servers that a test starts: known beforehand, and nobody else's until the server listens, or between two.

A port that the system picks is given away again as soon as it is let go, also to a test that runs beside this one.
"""

import itertools
import socket
from collections.abc import Callable

HOST = "127.0.0.1"
BLOCK = 100
# Where no system picks ports by itself: Linux does from 32768, macOS from 49152.
_FIRSTS = range(20_000, 32_000, BLOCK)

FreePort = Callable[[], int]


class Ports:
    """A block of ports that no other process of tests picks from: whoever has it listens on the first of them."""

    def __init__(self) -> None:
        self._flag = next(flag for first in _FIRSTS if (flag := _listening(first)))
        first: int = self._flag.getsockname()[1]
        self._others = itertools.cycle(range(first + 1, first + BLOCK))

    def close(self) -> None:
        """Leave them to others."""
        self._flag.close()

    def pick(self) -> int:
        """Give a port on which nothing listens; it comes again when all others of the block have been given."""
        return next(port for port in itertools.islice(self._others, BLOCK) if _is_free(port))


def _listening(port: int) -> socket.socket | None:
    flag = socket.socket()
    try:
        flag.bind((HOST, port))
        flag.listen(1)
    except OSError:
        flag.close()
        return None
    return flag


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are only timing out is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
