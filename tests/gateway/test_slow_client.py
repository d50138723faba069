"""A client that does not read costs a bound, and harms nobody."""

import asyncio
import json
import socket

from gateway.delivery import Tally, Text
from gateway.relay import BUFFER_BYTES, Relay
from shared.channel import Batch
from shared.event import encode_event

from .conftest import Eventually, Serving
from .hand import DONE, Served, events_of, text_in, tokens

PROMPT = {"prompt": "x"}
WIDE = "y" * 10_000


async def overflows(served: Served) -> float:
    """How many batches the gateway let go."""
    lines = (await served.http.get("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith("mlx_pool_gateway_overflows_total")).split()[1])


def post(port: int) -> socket.socket:
    """A client that asks, and does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", port))
    body = json.dumps(PROMPT).encode()
    head = b"POST /chat HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n"
    client.sendall(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
    return client


def dechunked(body: bytes) -> bytes:
    """A chunked body's content."""
    size, _, rest = body.partition(b"\r\n")
    length = int(size, 16)
    return rest[:length] + dechunked(rest[length + 2 :]) if length else b""


async def test_a_client_that_does_not_read_gets_the_whole_text_later(serving: Serving, eventually: Eventually) -> None:
    """Past the buffer's bound events are let go, and read from the log when the client reads again."""
    async with serving() as served:
        client = post(served.port)
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        for number in range(1, 101):
            await served.hand.say(job, *tokens(WIDE, first=number))
        await eventually(lambda: overflows(served))

        reading = asyncio.to_thread(lambda: b"".join(iter(lambda: client.recv(65_536), b"")))
        await served.hand.end(job, DONE)
        body = dechunked((await reading).split(b"\r\n\r\n", 1)[1]).decode()
        client.close()

    assert text_in(body) == WIDE * 100
    assert [event["seq"] for event in events_of(body)] == list(range(1, 103))


async def test_a_relay_holds_no_more_than_its_bound(serving: Serving) -> None:
    """However much is said, what waits for one client in memory is the buffer and one batch."""
    async with serving() as served:
        relay = Relay(served.hand.queue, "job", tally=Tally())
        for number, token in enumerate(tokens(*[WIDE] * 50), 1):
            relay.on_batch(Batch(1, "aaaa", number, [encode_event(token)]))

        deliveries = await relay.next()
        held = sum(len(bytes(delivery.event.content)) for delivery in deliveries if isinstance(delivery.event, Text))
        assert BUFFER_BYTES <= held <= BUFFER_BYTES + 2 * len(WIDE)
