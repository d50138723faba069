"""One turn of a chat, asked of a gateway: when it was begun, when its first token came, and what was counted."""

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.rig.pool import HOST

from .conversation import Message

_WITHIN_S = 120.0
_HEADERS = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}


class Turn(msgspec.Struct, frozen=True):
    """An answer, and how it came."""

    first_ms: float  # from the request to the first token
    prompt_tokens: int
    cached_tokens: int
    text: str
    started_ms: float  # from the request to the news that a worker has begun
    worker: str


class Failed(Exception):
    """The turn did not end with `done`; the message is what came instead."""


class TurnedAway(Failed):
    """It was not let in, since too many wait; it may come again after so long."""

    def __init__(self, message: str, again_after_s: float) -> None:
        super().__init__(message)
        self.again_after_s = again_after_s


def ask(port: int, messages: Sequence[Message], max_tokens: int, *, key: str = "") -> Turn:
    """Ask greedily, with this API key if any, and read to the end.

    Raises:
        Failed: it did not end well.

    """
    body = {"messages": messages, "max_tokens": max_tokens, "temperature": 0, "repeat_penalty": 1}
    headers = _HEADERS | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = http.client.HTTPConnection(HOST, port, timeout=_WITHIN_S)
    asked = time.perf_counter()
    try:
        connection.request("POST", "/chat", json.dumps(body), headers)
        return _read(connection.getresponse(), asked)
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, asked: float) -> Turn:
    if response.status in {http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE}:
        raise TurnedAway(response.read().decode(), float(response.headers.get("Retry-After", "0")))
    came_s: dict[str, float] = {}
    started: dict[str, Any] = {}
    text: list[str] = []
    event: dict[str, Any] = {}
    for line in response:
        event = json.loads(line)
        status = event.get("status", "")
        came_s.setdefault(status, time.perf_counter() - asked)
        if status == "token":
            text.append(event.get("content", ""))
        elif status == "started":
            started = event
    if event.get("status") != "done":
        raise Failed(str(event))
    usage = event["usage"]
    return Turn(
        first_ms=came_s.get("token", 0.0) * 1_000,
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=usage.get("cached_tokens", 0),
        text="".join(text),
        started_ms=came_s.get("started", 0.0) * 1_000,
        worker=started.get("worker", ""),
    )
