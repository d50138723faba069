"""The client's side of a request: its body, read within bounds, and whether it is still there.

A body has ten seconds, and the longer the more of it has come: who sends some bytes now and then holds no socket for
longer than who sends nothing, and a slow line is waited for.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from shared.errors import Refused
from shared.job import MAX_BODY_BYTES

from .connection import spread_s
from .relay import Relay

BODY_WITHIN_S = 30.0
PATIENCE_S = 8.0
LEAST_BYTES_PER_S = 4_096  # by which a body gains time
SILENT_S = 30.0  # at a stretch, however much has come


class Arrival:
    """A body on its way in. Only the time counts in which the client is waited for."""

    def __init__(self, receive: Receive, *, within_s: float) -> None:
        self._receive = receive
        self._within_s = within_s
        self._waited_s = -spread_s(0.0)
        self._bytes = 0

    async def next(self) -> tuple[bytes, bool]:
        """The next piece, and whether there are more.

        Raises:
            TimeoutError: it does not come in time.
            ClientDisconnect: the client left.

        """
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        left_s = patience_s(self._bytes, self._within_s) - self._waited_s
        async with asyncio.timeout(min(left_s, SILENT_S)):
            message: Message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body = message.get("body", b"")
        self._waited_s += now_s() - began_s
        self._bytes += len(body)
        return body, message.get("more_body", False)


def patience_s(received_bytes: int, most_s: float) -> float:
    """How long a body is waited for in all, of which so much has come."""
    return min(most_s, PATIENCE_S + received_bytes / LEAST_BYTES_PER_S)


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """Read a JSON body.

    Raises:
        Refused: wrong_content_type, body_too_large, or invalid_json when it does not arrive in time.
        ClientDisconnect: the client left in its midst.

    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("wrong_content_type", "The body must be JSON: Content-Type: application/json.")
    check_encoding(headers)
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        return await _gather_body(Arrival(receive, within_s=BODY_WITHIN_S))
    except TimeoutError as error:
        said = f"The body came too slowly: it has {PATIENCE_S:.0f} s, and one more for each {LEAST_BYTES_PER_S} bytes."
        raise Refused("invalid_json", said) from error


def check_encoding(headers: Headers) -> None:
    """Let a body pass that is what it looks like: a compressed one could become any size.

    Raises:
        Refused: wrong_content_type.

    """
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Refused("wrong_content_type", "The body must not be compressed: send it without Content-Encoding.")


async def _gather_body(arrival: Arrival) -> bytes:
    body, has_more = bytearray(), True
    while has_more:
        piece, has_more = await arrival.next()
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


@contextlib.asynccontextmanager
async def until_it_leaves(receive: Receive, relays: Sequence[Relay]) -> AsyncGenerator[None]:
    """Watch for the client's leaving while the block runs; its relays are told of it at once, at any phase."""
    watching = asyncio.create_task(_watch(receive, relays))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(receive: Receive, relays: Sequence[Relay]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    for relay in relays:
        relay.leave()


def _too_large() -> Refused:
    return Refused("body_too_large", f"A body has at most {MAX_BODY_BYTES} bytes.")
