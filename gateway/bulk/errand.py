"""A line as a request to the gateway's own routes: what they answer to a client, they answer to a batch.

It passes no door: what the batch's key may do is looked up by whoever runs it, and told by the caller.
"""

import asyncio
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

from gateway.caller import Caller, introduce
from gateway.receipt import note_receipt
from gateway.request_id import note_request_id


class Answer(NamedTuple):
    """What came of it."""

    status: int
    headers: Headers
    body: bytes
    request_id: str


async def ask(app: ASGIApp, path: str, body: bytes, *, caller: Caller, key: str) -> Answer:
    """Send the request, and wait for its answer as long as that takes."""
    scope = _scope(path, key)
    introduce(scope, caller)
    request_id = note_request_id(scope)
    note_receipt(scope)
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answers: list[Message] = []

    async def receive() -> Message:
        if not requests:
            await asyncio.Event().wait()  # nobody leaves: this ends with the answer
        return requests.pop()

    async def send(message: Message) -> None:
        answers.append(message)

    try:
        await app(scope, receive, send)
    except Exception:
        if not answers:  # else it is told of as a 500, and in the log
            raise
    head, *rest = answers
    told = b"".join(message.get("body", b"") for message in rest)
    return Answer(head["status"], Headers(raw=list(head["headers"])), told, request_id)


def _scope(path: str, key: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"idempotency-key", key.encode())],
        "client": None,
        "server": None,
    }
