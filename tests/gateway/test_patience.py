"""Time limits, each waited for in earnest."""

import asyncio
import json
import socket
import time

import pytest

from .conftest import Eventually, Serving
from .hand import DONE, tokens
from .test_places import connection

pytestmark = pytest.mark.long
PROMPT = {"prompt": "x"}
BODY = json.dumps(PROMPT).encode()
HEAD = b"POST /chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
REQUEST = HEAD + b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def test_headers_wait_ten_seconds_at_most_and_silence_is_commented(serving: Serving) -> None:
    """A client whose job waits knows within ten seconds that it is in, and every ten that its stream lives."""
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        began_at = time.monotonic()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert 9 < time.monotonic() - began_at < 11

        await reader.readuntil(b": keep-alive\n")
        await reader.readuntil(b": keep-alive\n")
        assert time.monotonic() - began_at < 22
        writer.close()


async def test_a_client_that_never_reads_is_cut(serving: Serving, eventually: Eventually) -> None:
    """Thirty seconds without room for more end a connection, and free what it held."""
    async with serving() as served:
        client = socket.create_connection(("127.0.0.1", served.port))
        client.sendall(REQUEST)
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        for number in range(1, 1_200):
            await served.hand.say(job, *tokens("y" * 10_000, first=number))
        began_at = time.monotonic()

        async def is_cut() -> bool:
            return "mlx_pool_gateway_streams 0.0" in (await served.http.get("/metrics")).text

        await eventually(is_cut, within=40)
        assert 20 < time.monotonic() - began_at < 40
        client.close()
        await served.hand.end(job, DONE)


PAGE = b"GET /page/vendor/uPlot.iife.min.js HTTP/1.1\r\nhost: localhost\r\n%b\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"


def unread(port: int, answers: int) -> socket.socket:
    """A client that asks for so many answers and the end of its connection, and reads none."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", port))
    client.sendall(PAGE % b"" * (answers - 1) + PAGE % b"connection: close\r\n")
    return client


async def test_who_never_reads_an_answers_end_is_cut(serving: Serving, eventually: Eventually) -> None:
    """However little of it is left: a place is nobody's for ever."""
    async with serving(max_connections=8) as served:
        clients = [unread(served.port, answers) for answers in range(1, 9)]

        async def all_are_free() -> bool:
            streams = [await connection(served.port, sends=LIVE) for _ in range(8)]
            heads = await asyncio.gather(*(reader.readline() for reader, _ in streams))
            for _, writer in streams:
                writer.close()
            return all(b" 200 " in head for head in heads)

        await eventually(all_are_free, within=45)
        for client in clients:
            client.close()
