"""A TCP proxy in front of the broker, for one process of the pool: it delays, withholds, loses and resets.

What it does is a value that a nemesis sets. TCP itself never loses bytes from a connection's midst, so what can't pass
is withheld, a connection's end too, and passes when the weather clears: both ends hold a connection that is half open.
Only messages of pub/sub may be lost.
"""

import asyncio
import contextlib
import random
import socket
import struct

import msgspec

from .broker import HOST
from .resp import is_message, split_replies

_READ_BYTES = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero seconds: closing sends RST


class Weather(msgspec.Struct, frozen=True):
    """How the network is. The default is a clear day."""

    delay_s: float = 0.0  # each way, for each piece of bytes
    lost_messages: float = 0.0  # the share of pub/sub messages that never arrive
    is_deaf: bool = False  # nothing of the broker's arrives at the process
    is_mute: bool = False  # nothing of the process's arrives at the broker


CLEAR = Weather()


class Proxy:
    """Carries connections from `port` to the broker's."""

    def __init__(self, port: int, broker_port: int, chance: random.Random, *, host: str = HOST) -> None:
        self.host = host
        self.port = port
        self.weather = CLEAR
        self.lost = 0  # messages
        self._broker_port = broker_port
        self._chance = chance
        self._may_go_up = asyncio.Event()
        self._may_go_down = asyncio.Event()
        self._lines: set[_Line] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen."""
        self.turn(CLEAR)
        self._server = await asyncio.start_server(self._take, self.host, self.port)

    async def close(self) -> None:
        """Listen no more, and cut every connection."""
        self.turn(CLEAR)
        if self._server:
            self._server.close()
        self.reset()
        if self._carrying:
            await asyncio.wait(self._carrying)

    def turn(self, weather: Weather) -> None:
        """Let the weather change."""
        self.weather = weather
        for gate, is_shut in ((self._may_go_up, weather.is_mute), (self._may_go_down, weather.is_deaf)):
            gate.clear() if is_shut else gate.set()

    def reset(self) -> int:
        """Break every connection with RST, at both ends; returns how many there were."""
        lines = list(self._lines)
        for line in lines:
            line.reset()
        return len(lines)

    async def pass_up(self, data: bytes) -> bytes:
        """Hold what goes to the broker for as long as the weather wants."""
        await self._may_go_up.wait()
        await asyncio.sleep(self.weather.delay_s)
        return data

    async def pass_down(self, replies: list[bytes]) -> bytes:
        """Hold what comes from the broker, and lose of it what the weather takes."""
        await self._may_go_down.wait()
        await asyncio.sleep(self.weather.delay_s)
        kept = [reply for reply in replies if not self._is_lost(reply)]
        self.lost += len(replies) - len(kept)
        return b"".join(kept)

    def _is_lost(self, reply: bytes) -> bool:
        return is_message(reply) and self._chance.random() < self.weather.lost_messages

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(HOST, self._broker_port)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(self, (reader, writer), there)
        self._lines.add(line)
        try:
            await line.carry()
        finally:
            self._lines.discard(line)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Line:
    """One connection that is carried."""

    def __init__(self, proxy: Proxy, here: Ends, there: Ends) -> None:
        self._proxy = proxy
        self._here = here
        self._there = there

    async def carry(self) -> None:
        """Carry until either end closes, and that has passed too."""
        ways = [asyncio.create_task(self._carry_up()), asyncio.create_task(self._carry_down())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._close()

    def reset(self) -> None:
        """Break it with RST at both ends."""
        for _, writer in (self._here, self._there):
            raw: socket.socket | None = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    def _close(self) -> None:
        for _, writer in (self._here, self._there):
            writer.transport.abort()

    async def _carry_up(self) -> None:
        while data := await _read(self._here):
            await _write(self._there, await self._proxy.pass_up(data))
        await self._proxy.pass_up(b"")

    async def _carry_down(self) -> None:
        rest = b""
        while data := await _read(self._there):
            replies, rest = split_replies(rest + data)
            await _write(self._here, await self._proxy.pass_down(replies))
        await self._proxy.pass_down([])


async def _read(ends: Ends) -> bytes:
    with contextlib.suppress(ConnectionError):
        return await ends[0].read(_READ_BYTES)
    return b""


async def _write(ends: Ends, data: bytes) -> None:
    if data:
        ends[1].write(data)
        with contextlib.suppress(ConnectionError):
            await ends[1].drain()
