"""Writing a job's stream to its client, as bare ASGI messages.

The headers wait for the first event, so that what a worker finds at once (a prompt too long, a failed engine) is still
an HTTP status. Everything that is pending goes out in one message: under load that is many tokens a write.
"""

import asyncio
import contextlib
from typing import Any, assert_never

import msgspec
from starlette.types import Send

from shared.errors import PoolError, from_wire
from shared.event import Cancelled, Done, Error

from .delivery import Delivery, Text
from .frames import Frames, timings_fields, usage_fields
from .gathered import Gathered, gather
from .relay import Relay

HEADERS_WITHIN_S = 10.0
HUSHED_S = 5.0  # how long events may come that a format says nothing of, before the client gets a sign of life
Headers = list[tuple[bytes, bytes]]


async def stream(relay: Relay, frames: Frames, send: Send, *, headers: Headers) -> None:
    """Answer with the stream, until its end, or until the client has left.

    Raises:
        PoolError: before anything was sent; it is to become the answer's status.

    """
    first = await first_of(relay)
    if relay.has_left:
        return
    if relay.is_over and not first:
        await _send_nothing(send, headers)  # the client had it all
        return
    await send_head(send, headers, frames.media_type)
    try:
        await _send_all(relay, frames, send, first)
    except PoolError as error:
        last = Error(code=error.code, message=error.message, param=error.param)
        await send_body(send, frames.failure(last), is_last=frames.may_end_cleanly(last))


async def first_of(relay: Relay) -> list[Delivery]:
    """Wait for what may decide the answer's status: the first events, none when they take too long.

    Raises:
        PoolError: the first one is an error.

    """
    first: list[Delivery] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HEADERS_WITHIN_S):
            while not (first or relay.has_left or relay.is_over):
                first = await relay.next()
    if first and isinstance(error := first[0].event, Error):
        raise from_wire(error.code, error.message, param=error.param)
    return first


async def _send_all(relay: Relay, frames: Frames, send: Send, deliveries: list[Delivery]) -> None:
    now_s = asyncio.get_running_loop().time
    said_at = now_s()
    while not relay.has_left:
        body = b"".join(map(frames.frame, deliveries))
        if not body and (not deliveries or now_s() - said_at > HUSHED_S):
            body = frames.keep_alive
        if relay.is_over:
            end = deliveries[-1].event if deliveries else None  # none: the client had the end already
            await send_body(send, body, is_last=end is None or isinstance(end, Text) or frames.may_end_cleanly(end))
            return
        if body:
            await send_body(send, body, is_last=False)
            said_at = now_s()
        deliveries = await relay.next()


async def send_head(send: Send, headers: Headers, media_type: str, status: int = 200) -> None:
    """Begin an answer."""
    fixed = [
        (b"content-type", media_type.encode()),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # proxies that hold a stream back until it is whole are asked not to
    ]
    await send({"type": "http.response.start", "status": status, "headers": fixed + headers})


async def send_body(send: Send, body: bytes, *, is_last: bool) -> None:
    """Send some of an answer; after the last piece, nothing more comes."""
    # A body that is never finished is how a server says that it was cut: the connection is closed in its midst.
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def _send_nothing(send: Send, headers: Headers) -> None:
    # 204 also tells an EventSource not to come back.
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send_body(send, b"", is_last=True)


async def whole(relay: Relay, send: Send, *, model: str, headers: Headers) -> None:
    """Answer with one JSON object, once the job has ended.

    Raises:
        PoolError: the job ended in an error.

    """
    if (gathered := await gather(relay)) is None:
        return
    body = msgspec.json.encode({"id": relay.job_id, "model": model} | _fields(gathered))
    await send_object(send, body, headers)


async def send_object(send: Send, body: bytes, headers: Headers) -> None:
    """Answer with a JSON object."""
    length = (b"content-length", str(len(body)).encode())
    await send_head(send, [*headers, length], "application/json")
    await send_body(send, body, is_last=True)


def _fields(gathered: Gathered) -> dict[str, Any]:
    fields: dict[str, Any] = {"content": gathered.content}
    rare = ("reasoning", "tool_calls", "warnings", "logprobs")
    fields |= {name: told for name in rare if (told := getattr(gathered, name))}
    match gathered.end:
        case Done() as done:
            return fields | {"reason": done.reason, "usage": usage_fields(done.usage), "timings": timings_fields(done)}
        case Cancelled() as cancelled:
            usage = usage_fields(cancelled.usage) if cancelled.usage else None
            return fields | {"reason": "cancelled", "usage": usage, "timings": None}
        case None:
            return fields | {"reason": None, "usage": None, "timings": None}
        case _:
            assert_never(gathered.end)
