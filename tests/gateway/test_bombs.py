"""Requests that are made to cost much cost little: each is refused by name, and the gateway goes on."""

import asyncio
import contextlib
import gzip
import itertools
import json
from collections.abc import Iterable

import httpx
import pytest

from shared.event import Cancelled

from .conftest import Eventually, Serving
from .hand import Served, refusal, text_in

HEAD = b"POST /chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
KIB = b"x" * 1_024
BAD, TOO_LARGE = b"HTTP/1.1 400", b"HTTP/1.1 413"

# What is sent first, then for ever; how the answer begins, and what it says.
ENDLESS = {
    "fields": (HEAD, b"x: y\r\n", BAD, b"100 header fields"),
    "a field": (HEAD + b"x: ", KIB, BAD, b"head is too large"),
    "a field's name": (HEAD, KIB, BAD, b"head is too large"),
    "an address": (b"GET /", KIB, BAD, b"head is too large"),
    "a body in chunks": (CHUNKED, b"400\r\n" + KIB + b"\r\n", TOO_LARGE, b"body_too_large"),
    "the size of a chunk": (CHUNKED, b"0" * 1_024, BAD, b"invalid_value"),
    "a chunk's extension": (CHUNKED + b"1;", KIB, BAD, b"invalid_value"),
    "trailers": (CHUNKED + b"0\r\n", b"x: y\r\n", BAD, b"100 header fields"),
    "a trailer": (CHUNKED + b"0\r\nx: ", KIB, BAD, b"invalid_value"),
}


async def send_for_ever(port: int, first: bytes, again: bytes) -> tuple[bytes, int]:
    """Send until the gateway has had enough; what it said, and how much it let in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    sent = 0

    async def pour() -> None:
        nonlocal sent
        while True:
            writer.write(again)
            sent += len(again)
            await writer.drain()
            await asyncio.sleep(0)

    pouring = asyncio.create_task(pour())
    told = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65_536):
            told += piece
    pouring.cancel()
    await asyncio.wait([pouring])
    writer.close()
    return bytes(told), sent


async def is_well(served: Served) -> bool:
    """Whether a proper request is served."""
    return text_in((await served.run({"prompt": "x"}, "잘")).text) == "잘"


@pytest.mark.parametrize("name", ENDLESS)
async def test_what_has_no_end_is_ended(serving: Serving, name: str) -> None:
    """Whatever part of a request it is; of what is sent on, no more is taken in than a body may have."""
    first, again, status, says = ENDLESS[name]
    async with serving() as served, asyncio.timeout(8):
        told, sent = await send_for_ever(served.port, first, again)

        assert told.startswith(status)
        assert says in told
        assert sent < 16 << 20
        assert await is_well(served)


async def test_requests_that_wait_for_an_answer_are_bounded(serving: Serving, eventually: Eventually) -> None:
    """A client that sends thousands behind a stream is cut off: it would have them all kept."""
    async with serving() as served:
        body = b'{"prompt":"x"}'
        first = HEAD + b"content-length: %d\r\n\r\n%b" % (len(body), body)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(first)
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

        writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 5_000)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()

        await eventually(lambda: served.hand.is_given_up(job))
        await served.hand.end(job, Cancelled(reason="unheard"))


PATHS = (
    "/chat",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/batches",
)
ASK = {
    "model": "tiny",
    "max_tokens": 5,
    "prompt": "x",
    "input": "x",
    "messages": [{"role": "user", "content": "x"}],
    "input_file_id": "file-x",
    "endpoint": "/v1/completions",
}
DEEP = 100_000
DIGITS = "9" * 100_000
OF_A_BODY = [f'"{name}":%s' for name in ("messages", "prompt", "input", "metadata", "tools", "response_format", "zzz")]
HEAVY = {
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "an unclosed list": "[" * DEEP,
    "a huge number": DIGITS,
    "a huge negative number": f"-{DIGITS}",
    "a huge fraction": f"0.{DIGITS}",
    "a huge exponent": f"1e{DIGITS}",
    "beyond every float": "1e999",
    "not a number": "NaN",
}


def heavy_bodies(weight: str) -> Iterable[str]:
    """Bodies with something heavy in the place of each of several fields, and of the whole."""
    rest = json.dumps({"temperature": "hot"})[1:]
    yield weight
    for field in OF_A_BODY:
        yield f"{{{field % weight},{rest}"
    yield f'{{"max_tokens":{weight},{rest}'
    yield f'{{"seed":{weight},{rest}'


@pytest.mark.parametrize("name", HEAVY)
async def test_json_that_is_made_to_hurt_is_a_400(serving: Serving, name: str) -> None:
    """Deep or huge, wherever it stands, on every API: never a crash, and never a job."""
    headers = {"content-type": "application/json"}
    async with serving() as served:
        for path, body in itertools.product(PATHS, heavy_bodies(HEAVY[name])):
            answer = await served.http.post(path, content=body, headers=headers)
            assert answer.status_code == 400, (path, body[:40], answer.text[:200])

        assert (await served.hand.queue.survey()).waiting_total == 0
        assert await is_well(served)


DEEP_SCHEMA = json.loads('{"properties":{"a":' * 200 + "{}" + "}}" * 200)


@pytest.mark.parametrize(
    "form",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": DEEP_SCHEMA}}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": DEEP_SCHEMA}}]},
        {"logit_bias": {str(number): 1 for number in range(301)}},
        {"stop": ["x"] * 17},
        {"n": 9},
    ],
    ids=lambda form: next(iter(form)),
)
async def test_what_would_take_long_to_prepare_is_a_400(serving: Serving, form: dict[str, object]) -> None:
    """Before anything is made of it."""
    async with serving() as served:
        answer = await served.http.post("/v1/chat/completions", json=ASK | form)

        assert refusal(answer)[0] == 400
        assert (await served.hand.queue.survey()).waiting_total == 0


@pytest.mark.parametrize("path", [*PATHS, "/v1/files"])
async def test_a_compressed_body_is_not_unpacked(serving: Serving, path: str) -> None:
    """A kilobyte could become a gigabyte; it is refused by its header."""
    kind = "multipart/form-data; boundary=x" if path == "/v1/files" else "application/json"
    headers = {"content-type": kind, "content-encoding": "gzip"}
    async with serving() as served:
        answer = await served.http.post(path, content=gzip.compress(b" " * 1_000_000), headers=headers)

        assert answer.status_code == 415
        assert "compressed" in answer.text


async def test_a_refusal_leaves_the_connection_in_use(serving: Serving) -> None:
    """What is left of a body that was refused unread is read over, and the next request is served behind it."""
    body = b'{"prompt":"%b"}' % (b"x" * 500_000)
    async with serving(key="s3cret") as served, httpx.AsyncClient(base_url=served.http.base_url) as http:
        for _ in range(3):
            refused = await http.post("/chat", content=body, headers={"content-type": "application/json"})
            assert refusal(refused) == (401, "invalid_api_key", None)

        assert (await served.http.get("/health/live")).status_code == 200
