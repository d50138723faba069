"""Writing a job's stream to its client, as bare ASGI messages.

The headers wait for the first event, so that what a worker finds at once (a prompt too long, a failed engine) is still
an HTTP status. Everything that is pending goes out in one message: under load that is many tokens a write.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.types import Send

from shared.errors import PoolError, from_wire
from shared.event import Cancelled, Done, Error

from .delivery import Delivery, Text
from .frames import Frames, calls_of, text_of, timings_fields, usage_fields
from .relay import Relay

HEADERS_WITHIN_S = 10.0
Headers = list[tuple[bytes, bytes]]


async def stream(relay: Relay, frames: Frames, send: Send, headers: Headers) -> None:
    """Answer with the stream, until its end, or until the client has left.

    Raises:
        PoolError: before anything was sent; it is to become the answer's status.

    """
    first = await _first(relay)
    if relay.has_left:
        return
    if relay.is_over and not first:
        await _send_nothing(send, headers)  # the client had it all
        return
    await _send_head(send, headers, frames.media_type)
    try:
        await _send_all(relay, frames, send, first)
    except PoolError as error:
        last = Error(code=error.code, message=error.message, param=error.param)
        await _send_body(send, frames.failure(last), is_last=frames.may_end_cleanly(last))


async def _first(relay: Relay) -> list[Delivery]:
    first: list[Delivery] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HEADERS_WITHIN_S):
            while not (first or relay.has_left or relay.is_over):
                first = await relay.next()
    if first and isinstance(error := first[0].event, Error):
        raise from_wire(error.code, error.message, param=error.param)
    return first


async def _send_all(relay: Relay, frames: Frames, send: Send, deliveries: list[Delivery]) -> None:
    while not relay.has_left:
        body = b"".join(map(frames.frame, deliveries)) or frames.keep_alive
        if relay.is_over:
            end = deliveries[-1].event if deliveries else None  # none: the client had the end already
            await _send_body(send, body, is_last=end is None or isinstance(end, Text) or frames.may_end_cleanly(end))
            return
        if body:
            await _send_body(send, body, is_last=False)
        deliveries = await relay.next()


async def _send_head(send: Send, headers: Headers, media_type: str, status: int = 200) -> None:
    fixed = [
        (b"content-type", media_type.encode()),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # proxies that hold a stream back until it is whole are asked not to
    ]
    await send({"type": "http.response.start", "status": status, "headers": fixed + headers})


async def _send_body(send: Send, body: bytes, *, is_last: bool) -> None:
    # A body that is never finished is how a server says that it was cut: the connection is closed in its midst.
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def _send_nothing(send: Send, headers: Headers) -> None:
    # 204 also tells an EventSource not to come back.
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await _send_body(send, b"", is_last=True)


async def whole(relay: Relay, send: Send, headers: Headers, model: str) -> None:
    """Answer with one JSON object, once the job has ended.

    Raises:
        PoolError: the job ended in an error.

    """
    deliveries: list[Delivery] = []
    while not (relay.is_over or relay.has_left):
        deliveries += await relay.next()
    if relay.has_left:
        return
    body = msgspec.json.encode({"id": relay.job_id, "model": model} | _gathered(deliveries))
    length = (b"content-length", str(len(body)).encode())
    await _send_head(send, [*headers, length], "application/json")
    await _send_body(send, body, is_last=True)


def _gathered(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    texts = [delivery.event for delivery in deliveries if isinstance(delivery.event, Text)]
    gathered: dict[str, Any] = {"content": "".join(text_of(text.content) for text in texts)}
    if reasoning := "".join(text_of(text.reasoning) for text in texts if text.reasoning):
        gathered["reasoning"] = reasoning
    if calls := [call for text in texts if text.tool_calls for call in calls_of(text.tool_calls)]:
        gathered["tool_calls"] = calls
    if warnings := [text_of(text.warning) for text in texts if text.warning]:
        gathered["warnings"] = warnings
    match deliveries[-1].event if deliveries else None:
        case Done() as done:
            return gathered | {
                "reason": done.reason,
                "usage": usage_fields(done.usage),
                "timings": timings_fields(done),
            }
        case Cancelled() as cancelled:
            usage = usage_fields(cancelled.usage) if cancelled.usage else None
            return gathered | {"reason": "cancelled", "usage": usage, "timings": None}
        case Error() as error:
            raise from_wire(error.code, error.message, param=error.param)
        case _:
            return gathered | {"reason": None, "usage": None, "timings": None}
