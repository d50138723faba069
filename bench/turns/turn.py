"""One turn of a chat, asked of a gateway: when its first token came, and what was counted."""

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


class Failed(Exception):
    """The turn did not end with `done`; the message is what came instead."""


def ask(port: int, messages: Sequence[Message], max_tokens: int) -> Turn:
    """Ask greedily, and read to the end."""
    body = {"messages": messages, "max_tokens": max_tokens, "temperature": 0, "repeat_penalty": 1}
    connection = http.client.HTTPConnection(HOST, port, timeout=_WITHIN_S)
    asked = time.perf_counter()
    try:
        connection.request("POST", "/chat", json.dumps(body), _HEADERS)
        return _read(connection.getresponse(), asked)
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, asked: float) -> Turn:
    first_s = 0.0
    text: list[str] = []
    event: dict[str, Any] = {}
    for line in response:
        event = json.loads(line)
        if event.get("status") == "token":
            first_s = first_s or time.perf_counter() - asked
            text.append(event.get("content", ""))
    if event.get("status") != "done":
        raise Failed(str(event))
    usage = event["usage"]
    return Turn(first_s * 1_000, usage["prompt_tokens"], usage.get("cached_tokens", 0), "".join(text))
