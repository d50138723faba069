"""One client's stream, read in a thread of its own: when each event was here, and coming back when it is cut off."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from bench.rig.pool import HOST

_WITHIN_S = 60.0
_AGAIN_S = 0.05


class Mark(msgspec.Struct, frozen=True):
    """An event at the client: its moment by the monotonic clock, of which attempt, over which connection."""

    at_s: float
    status: str
    attempt: int
    worker: str
    connection: int


class Stream:
    """A request and its events so far; `with` ends it."""

    def __init__(self, ports: Sequence[int], body: dict[str, Any]) -> None:
        self._ports = list(ports)
        self._body = msgspec.json.encode(body)
        self._news = threading.Condition()
        self._marks: list[Mark] = []
        self._job = self._place = ""
        self._attempt, self._worker, self._connections = 0, "", 0
        self._is_over = False
        self._socket: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    @property
    def last(self) -> Mark:
        """The newest event."""
        return self._marks[-1]

    def began_s(self, attempt: int) -> float:
        """When the client was told that this attempt has begun."""
        return next(mark.at_s for mark in self._marks if mark.attempt == attempt)

    def await_mark(self, fits: Callable[[Mark], bool]) -> Mark:
        """Wait for the first event that fits.

        Raises:
            TimeoutError: none came, or the stream is over.

        """
        seen, deadline = 0, time.monotonic() + _WITHIN_S
        with self._news:
            while True:
                for mark in self._marks[seen:]:
                    if fits(mark):
                        return mark
                seen = len(self._marks)
                left_s = deadline - time.monotonic()
                if self._is_over or left_s <= 0 or not self._news.wait(left_s):
                    raise TimeoutError(f"no such event among {seen}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        if self._socket and self._socket.sock:
            with contextlib.suppress(OSError):
                self._socket.sock.shutdown(socket.SHUT_RDWR)  # a close would not wake the thread that reads
        self._thread.join(_WITHIN_S)

    def _follow(self) -> None:
        place = 0
        while not self._is_over:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
                self._read(self._ports[place % len(self._ports)])
            place += 1
            time.sleep(_AGAIN_S)

    def _read(self, port: int) -> None:
        self._socket = connection = http.client.HTTPConnection(HOST, port, timeout=_WITHIN_S)
        if self._job:
            connection.request("GET", f"/chat/{self._job}", headers=_ACCEPT | {"Last-Event-ID": self._place})
        else:
            connection.request("POST", "/chat", self._body, _ACCEPT | {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            return
        self._job = answer.headers["x-job-id"]
        self._connections += 1
        while line := answer.readline():
            self._note(line)

    def _note(self, line: bytes) -> None:
        now_s = time.monotonic()
        name, _, value = line.strip().partition(b": ")
        if name == b"id":
            self._place = value.decode()
        elif name == b"data":
            self._add(now_s, msgspec.json.decode(value))

    def _add(self, now_s: float, event: dict[str, Any]) -> None:
        if event["status"] == "started":
            self._attempt, self._worker = event["attempt"], event["worker"]
        with self._news:
            self._marks.append(Mark(now_s, event["status"], self._attempt, self._worker, self._connections))
            self._is_over = self._is_over or event["status"] in {"done", "error", "cancelled"}
            self._news.notify_all()


_ACCEPT = {"Accept": "text/event-stream"}
