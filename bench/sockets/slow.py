"""`python -m bench.sockets.slow`: holds a gateway's sockets in every way that costs it something, until they are cut.

Whoever is cut comes again at once, so that there are always as many; a bomb's client after a second.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import cast

import uvloop

from bench.load.figures import spread
from bench.load.http import HOST
from bench.rig.files import allow_files

from . import ways
from .orders import QUESTIONS, Besieged, Held, Hold
from .orders import Way as Told
from .talk import answer, questions
from .ways import Way

_BYTE_EVERY_S = 1.0
_BOMB_EVERY_S = 1.0
_OPENED_A_SECOND = 1_000


class Siege:
    """All sockets, and how they ended."""

    def __init__(self, port: int, kinds: Mapping[str, Way]) -> None:
        self.port = port
        self.kinds = kinds
        self.open: set[Socket] = set()
        self.is_over = False
        self._cuts: defaultdict[str, list[float]] = defaultdict(list)
        self._told: defaultdict[str, int] = defaultdict(int)

    async def hold(self, sockets: int, bombs: int) -> Held:
        """Open them all; others come in their place."""
        began_s = time.monotonic()
        slow = [name for name, way in self.kinds.items() if not way.is_bomb]
        explosive = [name for name, way in self.kinds.items() if way.is_bomb]
        names = [slow[at % len(slow)] for at in range(sockets)]
        names += [explosive[at % len(explosive)] for at in range(bombs if explosive else 0)]
        for name in names:
            await self.connect(name)
            await asyncio.sleep(1 / _OPENED_A_SECOND)
        return Held(len(self.open), time.monotonic() - began_s)

    async def connect(self, name: str) -> None:
        """Open one."""
        loop, way = asyncio.get_running_loop(), self.kinds[name]
        with contextlib.suppress(OSError):
            await loop.create_connection(lambda: Socket(self, name, way), HOST, self.port)

    def end(self, one: "Socket", after_s: float, *, is_told: bool) -> None:
        """Note that one was cut, and have another in its place."""
        self.open.discard(one)
        if self.is_over:
            return
        self._cuts[one.name].append(after_s)
        self._told[one.name] += is_told
        loop = asyncio.get_running_loop()
        delay_s = _BOMB_EVERY_S if self.kinds[one.name].is_bomb else 0.0
        loop.call_later(delay_s, lambda: loop.create_task(self.connect(one.name)))

    def report(self) -> Besieged:
        """How it went."""
        now_s = time.monotonic()
        told = [Told(name, len(self._cuts[name]), self._told[name], spread(self._cuts[name])) for name in self.kinds]
        return Besieged(told, len(self.open), max((now_s - one.began_s for one in self.open), default=0.0))


class Socket(asyncio.Protocol):
    """One of them."""

    def __init__(self, siege: Siege, name: str, way: Way) -> None:
        self.name = name
        self.began_s = time.monotonic()
        self._siege = siege
        self._way = way
        self._is_told = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio: begin."""
        self._siege.open.add(self)
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._way.at_once)
        if self._way.is_bomb and self._way.again:
            self._pour()
        elif self._way.again:
            self._trickle(random.random() * _BYTE_EVERY_S)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what it is told."""
        self._is_told = self._is_told or b"HTTP/1.1 4" in data

    def pause_writing(self) -> None:
        """Called by asyncio when the gateway does not read."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Called by asyncio when it reads again."""
        self._is_paused = False
        if self._way.is_bomb and self._way.again:
            self._pour()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 however it was cut
        """Called by asyncio at the end."""
        if self._timer:
            self._timer.cancel()
        self._siege.end(self, time.monotonic() - self.began_s, is_told=self._is_told)

    def _pour(self) -> None:
        while not self._is_paused and not self._transport.is_closing():
            self._transport.write(self._way.again)

    def _trickle(self, within_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(within_s, self._send_some)

    def _send_some(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._way.again)
            self._trickle(_BYTE_EVERY_S)


async def main(argv: Sequence[str]) -> None:
    """Hold sockets until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.sockets.slow")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls", action="store_true", help="never to end a handshake")
    parser.add_argument("--bombs", type=int, default=0, help="so many besides, one a second each")
    flags = parser.parse_args(argv)
    siege = Siege(flags.port, ways.HANDSHAKES if flags.tls else {**ways.SLOW, **ways.BOMBS})
    async for question in questions(QUESTIONS):
        if isinstance(question, Hold):
            allow_files(question.streams + 100)
            answer(await siege.hold(question.streams, flags.bombs))
        else:
            siege.is_over = True
            answer(siege.report())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1:]))
