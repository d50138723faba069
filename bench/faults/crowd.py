"""Jobs that wait: a thread keeps so many of them in the queue, for as long as a `with` lasts."""

import contextlib
import http.client
import threading
from typing import Self

import msgspec

from bench.rig.pool import HOST

from .pool import Pool

_LOOK_EVERY_S = 0.2


class Crowd:
    """Keeps `waiting` jobs waiting; none is nothing to do."""

    def __init__(self, pool: Pool, waiting: int, tokens: int) -> None:
        self._pool = pool
        self._waiting = waiting
        self._body = {"max_tokens": tokens, "background": True, "stream": False}
        self._count = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> Self:
        if self._waiting:
            self._thread.start()
            self._pool.until(lambda: self._lack() <= 0, "the queue is as long as it should be")
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._waiting:
            self._thread.join()

    def _feed(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._add(self._lack() + self._waiting // 4)

    def _lack(self) -> int:
        queues = self._pool.summary()["queues"]
        return self._waiting - sum(queue["waiting"] for queue in queues)

    def _add(self, count: int) -> None:
        connection = http.client.HTTPConnection(HOST, next(iter(self._pool.ports.values())), timeout=5)
        with contextlib.closing(connection):
            for _ in range(count):
                self._count += 1
                body = msgspec.json.encode(self._body | {"prompt": f"one of many, {self._count}"})
                connection.request("POST", "/chat", body, {"Content-Type": "application/json"})
                connection.getresponse().read()
