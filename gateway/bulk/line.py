"""The lines of an input file: read piece by piece, from any place on; and what one says."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from shared.bulk_file import PIECE_BYTES, BulkFiles
from shared.errors import Fault, Refused
from shared.job import MAX_BODY_BYTES, refusal_of

RETRY_S = 0.5
MAX_LINE_BYTES = MAX_BODY_BYTES + 65_536


class Line(NamedTuple):
    """A line, counted from 0, and where the next one begins; without data it is too long."""

    number: int
    end: int
    data: bytes | None


class LineRequest(msgspec.Struct, frozen=True):
    """What a line asks for; its body is the route's to read."""

    custom_id: Annotated[str, Meta(min_length=1, max_length=512)]
    url: str
    body: msgspec.Raw
    method: Literal["POST"] = "POST"


class _Named(msgspec.Struct, frozen=True):
    """As much of a line as can be told of one that is wrong."""

    custom_id: str | None = None


class _Delivery(msgspec.Struct, frozen=True):
    """How an answer is to come: out of a batch whole, and when it is there."""

    stream: Any = None
    background: Any = None


async def read_lines(files: BulkFiles, tag: str, *, number: int, offset: int) -> AsyncGenerator[Line]:
    """The lines of an upload from line `number` on, which begins at the byte `offset`; one of them is held at a time.

    While Redis does not answer, it waits.
    """
    place, skipped = divmod(offset, PIECE_BYTES)
    held, length = bytearray(), 0
    while (piece := await _piece(files, tag, place)) is not None:
        *ends, rest = piece[skipped:].split(b"\n")
        for part in ends:
            length += len(part)
            offset += length + 1
            yield Line(number, offset, bytes(held + part) if length <= MAX_LINE_BYTES else None)
            number, length = number + 1, 0
            held.clear()
        length += len(rest)
        held += rest if length <= MAX_LINE_BYTES else b""
        place, skipped = place + 1, 0
    if length:
        yield Line(number, offset + length, bytes(held) if length <= MAX_LINE_BYTES else None)


async def _piece(files: BulkFiles, tag: str, place: int) -> bytes | None:
    while True:
        with contextlib.suppress(Fault):
            return await files.piece(tag, "input", place)
        await asyncio.sleep(RETRY_S)


def request_in(data: bytes | None, endpoint: str) -> LineRequest:
    """What the line asks for.

    Raises:
        Refused: it is none of this batch's requests.

    """
    if data is None:
        raise Refused("body_too_large", f"A line has at most {MAX_LINE_BYTES:,} bytes.")
    try:
        request = msgspec.json.decode(data, type=LineRequest)
        delivery = msgspec.json.decode(request.body, type=_Delivery)
    except msgspec.ValidationError as error:
        raise refusal_of(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("invalid_json", f"The line is not valid JSON: {error}.") from error
    if request.url != endpoint:
        raise Refused("invalid_value", f"`url` is not the batch's endpoint, {endpoint}.", param="url")
    for name in ("stream", "background"):
        if getattr(delivery, name):
            raise Refused("unsupported", f"`{name}` is not for batches.", param=f"body.{name}")
    return request


def custom_id_in(data: bytes | None) -> str | None:
    """What a line calls itself, as far as that can be read."""
    try:
        return msgspec.json.decode(data or b"", type=_Named).custom_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
