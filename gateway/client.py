"""The client's side of a request: its body, read within bounds, and whether it is still there."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from shared.errors import Refused
from shared.job import MAX_BODY_BYTES

from .relay import Relay

BODY_WITHIN_S = 30.0


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """Read a JSON body.

    Raises:
        Refused: wrong_content_type, body_too_large, or invalid_json when it does not arrive in time.
        ClientDisconnect: the client left in its midst.

    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("wrong_content_type", "The body must be JSON: Content-Type: application/json.")
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await _gather_body(receive)
    except TimeoutError as error:
        raise Refused("invalid_json", f"The body did not arrive within {BODY_WITHIN_S:.0f} s.") from error


async def _gather_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
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
