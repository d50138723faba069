"""Hears all that is published of a queue's jobs over one connection, and counts the tokens: in place of gateways."""

import socket
import threading
from typing import Self
from urllib.parse import urlsplit

from shared.keys import Keys

from .engine import MARK

_AT_ONCE = 1 << 20
_MARK = MARK.encode()


class Ear:
    """Listens while its `with` lasts."""

    def __init__(self, url: str, queue: str) -> None:
        place = urlsplit(url)
        self.tokens = 0
        self._socket = socket.create_connection((place.hostname, place.port))
        self._socket.sendall(_command("AUTH", place.password or "") + _command("PSUBSCRIBE", _pattern(queue)))
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # a close would not wake the thread that reads
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while heard := self._socket.recv(_AT_ONCE):
            self.tokens += heard.count(_MARK)


def _pattern(queue: str) -> str:
    return Keys(queue).channel("*")


def _command(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]
    return "".join(parts).encode()
