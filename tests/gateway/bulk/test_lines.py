"""Lines are the same wherever reading begins, and however they lie in the pieces."""

import json

import pytest

from gateway.bulk.line import MAX_LINE_BYTES, Line, read_lines, request_in
from shared.bulk_file import PIECE_BYTES, BulkFiles
from shared.connection import connect
from shared.errors import Refused

LONG = b"x" * (PIECE_BYTES + 5)
BODIES = [b"a\n\nb", b"a\r\nb\n", LONG + b"\n" + LONG + b"\nend", b"x" * (PIECE_BYTES - 1) + b"\n" + b"y\n", b"\n\n"]


async def upload(files: BulkFiles, data: bytes) -> None:
    """Put a file there."""
    for at in range(0, len(data), PIECE_BYTES):
        await files.append("t", data[at : at + PIECE_BYTES])


@pytest.mark.parametrize("body", BODIES, ids=["blank", "windows", "long", "border", "empty"])
async def test_reading_goes_on_from_any_line(broker: str, body: bytes) -> None:
    """By its number and its place, as a commit tells them."""
    client = connect(broker, name="test")
    await upload(files := BulkFiles(client), body)

    whole = [line async for line in read_lines(files, "t", number=0, offset=0)]

    expected = body.split(b"\n")
    expected = expected[:-1] if not expected[-1] else expected
    assert [line.data for line in whole] == expected
    for line in whole:
        rest = [each async for each in read_lines(files, "t", number=line.number + 1, offset=line.end)]
        assert rest == whole[line.number + 1 :]
    await client.aclose()


async def test_a_line_that_is_too_long_is_only_skipped(broker: str) -> None:
    """Nothing of it is kept; the next one is there."""
    client = connect(broker, name="test")
    await upload(files := BulkFiles(client), b"x" * (MAX_LINE_BYTES + 1) + b"\nnext")

    lines = [line async for line in read_lines(files, "t", number=0, offset=0)]

    assert lines == [Line(0, MAX_LINE_BYTES + 2, None), Line(1, MAX_LINE_BYTES + 6, b"next")]
    with pytest.raises(Refused, match="at most"):
        request_in(None, "/v1/x")
    await client.aclose()


def test_a_lines_body_is_left_as_it_is() -> None:
    """The route reads it."""
    line = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/x", "body": {"a": [1, None]}})

    assert json.loads(bytes(request_in(line.encode(), "/v1/x").body)) == {"a": [1, None]}
