"""`python -m bench.sockets.asking`: some clients that ask properly, each request on a new connection."""

import argparse
import asyncio
import json
import ssl
import sys
import time
from collections.abc import Sequence

import uvloop

from bench.load.figures import spread
from bench.load.http import HOST

from .orders import QUESTIONS, Asked, Count
from .talk import answer, questions

_WITHIN_S = 30.0
_REST_S = 0.01  # between two requests of a client, so that these are not what fills the machine


class Clients:
    """All of them."""

    def __init__(self, port: int, tokens: int, tls: ssl.SSLContext | None) -> None:
        body = json.dumps({"prompt": "안녕하세요", "max_tokens": tokens}).encode()
        head = f"POST /chat HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self._port = port
        self._tls = tls
        self._until_s = 0.0
        self._first_ms: list[float] = []
        self._failed = 0

    async def ask(self, clients: int, seconds: float) -> Asked:
        """Ask for so long."""
        self._until_s, self._first_ms, self._failed = time.monotonic() + seconds, [], 0
        await asyncio.gather(*(self._go_on() for _ in range(clients)))
        return Asked(len(self._first_ms) + self._failed, self._failed, spread(self._first_ms))

    async def _go_on(self) -> None:
        while time.monotonic() < self._until_s:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    self._first_ms.append(await self._ask_once())
            except (OSError, EOFError, TimeoutError):
                self._failed += 1
            await asyncio.sleep(_REST_S)

    async def _ask_once(self) -> float:
        """How long the first token took, in ms.

        Raises:
            EOFError: the answer was none, or was cut.

        """
        began_s = time.monotonic()
        reader, writer = await asyncio.open_connection(HOST, self._port, ssl=self._tls)
        try:
            writer.write(self._request)
            told = await reader.readuntil(b'"status":"token"')
            first_ms = (time.monotonic() - began_s) * 1_000
            rest = await reader.read()
        finally:
            writer.close()
        if not told.startswith(b"HTTP/1.1 200 ") or b'"status":"done"' not in rest:
            raise EOFError
        return first_ms


async def main(argv: Sequence[str]) -> None:
    """Ask until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.sockets.asking")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--trust", default="", help="the certificate of a gateway with TLS")
    flags = parser.parse_args(argv)
    tls = ssl.create_default_context(cafile=flags.trust) if flags.trust else None
    clients = Clients(flags.port, flags.tokens, tls)
    async for question in questions(QUESTIONS):
        assert isinstance(question, Count)
        answer(await clients.ask(flags.clients, question.seconds))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1:]))
