"""Slow clients are cut off, and told why where they asked something; whoever asks properly does not notice."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from .conftest import Serving
from .hand import Served, text_in

OF_EACH = 50
BYTE_EVERY_S = 0.5
PATIENCE_S = 7.5
CUT_WITHIN_S = 15.0  # ten, one to read why, and some for a busy machine; bench.siege has the figures


class Slow(NamedTuple):
    """A way to be slow: what is sent at once, and what is due then: an answer's beginning, a word in it."""

    at_once: bytes
    answer: bytes = b""
    says: bytes = b""


def post(path: str, more: str, body: bytes = b"") -> bytes:
    """A request, or the beginning of one."""
    return f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n\r\n".encode() + body


JSON = "content-type: application/json"
FORM = "content-type: multipart/form-data; boundary=x"
BAD, NONE = b"HTTP/1.1 400", b"HTTP/1.1 404"
WAYS = {
    "says nothing": Slow(b""),
    "head": Slow(b"GET /pool HTTP/1.1\r\nx: ", BAD, b"head did not arrive"),
    "next head": Slow(b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\nGET /", NONE, b"head did not arrive"),
    "body": Slow(post("/chat", f"{JSON}\r\ncontent-length: 900"), BAD, b"came too slowly"),
    "chunks": Slow(post("/v1/messages", f"{JSON}\r\ntransfer-encoding: chunked", b"900\r\n"), BAD, b"came too slowly"),
    "file": Slow(post("/v1/files", f"{FORM}\r\ncontent-length: 900", b"--x\r\n"), BAD, b"did not arrive in time"),
    "body that nobody reads": Slow(post("/nowhere", f"{JSON}\r\ncontent-length: 900"), NONE, b"no such route"),
}


class Cut(NamedTuple):
    """How it went for one of them."""

    way: str
    told: bytes
    after_s: float


async def endure(port: int, name: str) -> Cut:
    """Connect, be slow, and read until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began_s = time.monotonic()
    writer.write(WAYS[name].at_once)
    trickling = asyncio.create_task(trickle(writer)) if WAYS[name].at_once else None
    told = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := await reader.read(65_536):
            told += piece
    took_s = time.monotonic() - began_s
    if trickling:
        trickling.cancel()
    writer.close()
    return Cut(name, bytes(told), took_s)


async def trickle(writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then."""
    while True:
        await asyncio.sleep(BYTE_EVERY_S)
        writer.write(b"a")


@contextlib.asynccontextmanager
async def asking(served: Served) -> AsyncGenerator[list[str]]:
    """Ask properly all the while; the answers."""
    answers: list[str] = []
    is_over = asyncio.Event()

    async def ask() -> None:
        while not is_over.is_set():
            answers.append(text_in((await served.run({"prompt": "x"}, "안", f"{len(answers)}")).text))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask())
        yield answers
        is_over.set()


async def test_slow_clients_are_cut_while_others_are_served(serving: Serving) -> None:
    """As soon as a head's time is over, however they are slow; with a word where they had begun to ask."""
    async with serving() as served, asking(served) as answers:
        names = [name for name in WAYS for _ in range(OF_EACH)]
        cuts = await asyncio.gather(*(endure(served.port, name) for name in names))

    assert [cut for cut in cuts if not PATIENCE_S < cut.after_s < CUT_WITHIN_S] == []
    for cut in cuts:
        way = WAYS[cut.way]
        assert cut.told.startswith(way.answer), cut
        assert way.says in cut.told, cut
        assert bool(cut.told) == bool(way.answer), cut
    assert len(answers) > 20
    assert answers == [f"안{number}" for number in range(len(answers))]
