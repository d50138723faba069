"""Streams over HTTP on bare sockets: one connection a stream, and nothing done with the bytes but keeping them."""

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from .answer import Read, lines_of
from .orders import ViaCompletions, ViaHttp
from .recording import Recording

HOST = "127.0.0.1"
_COMPLETIONS = ("/v1/chat/completions", "text/event-stream")


class Stream(asyncio.Protocol):
    """One request; its answer is over when the server closes the connection, as it is asked to."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._reads: list[Read] = []
        self._asked_ns = self._ended_ns = 0
        self.is_over = asyncio.get_running_loop().create_future()

    async def begin(self, port: int) -> None:
        """Connect. A client waits from here on: a server that is slow to accept, as with a short backlog, is slow."""
        self._asked_ns = time.monotonic_ns()
        await asyncio.get_running_loop().create_connection(lambda: self, HOST, port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio: ask."""
        # uvloop's transports are not of asyncio's classes.
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what came."""
        self._reads.append(Read(time.monotonic_ns(), data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 a cut answer is found out when it is read
        """Called by asyncio at the end."""
        self._ended_ns = time.monotonic_ns()
        if not self.is_over.done():
            self.is_over.set_result(None)

    def recording(self) -> Recording:
        """Read what came."""
        return Recording(self._asked_ns, self._ended_ns, len(self._reads), lines_of(self._reads))


async def follow(order: ViaHttp | ViaCompletions) -> Sequence[Stream]:
    """Carry out an order."""
    streams = [Stream(_request(order, body.encode())) for body in order.bodies]
    await asyncio.gather(*(stream.begin(order.port) for stream in streams))
    await asyncio.gather(*(stream.is_over for stream in streams))
    return streams


def _request(order: ViaHttp | ViaCompletions, body: bytes) -> bytes:
    path, accept = ("/chat", order.accept) if isinstance(order, ViaHttp) else _COMPLETIONS
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}:{order.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Accept: {accept}",
        "Connection: close",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
