"""The proxy judged: it takes what it is told to take, and nothing else."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Self

import pytest

from shared.connection import Broker, connect
from tests.chaos.broker import HOST
from tests.chaos.proxy import CLEAR, Proxy, Weather
from tests.chaos.resp import is_message, split_replies
from tests.ports import FreePort

Eventually = Callable[..., Any]
MESSAGE = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n"
REPLIES = [b"+OK\r\n", MESSAGE, b"$-1\r\n", b"*-1\r\n", b"*2\r\n:1\r\n*1\r\n$2\r\n\r\n\r\n", b"-ERR no\r\n"]


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_replies_are_cut_where_they_end(size: int) -> None:
    """However the bytes come in, each reply is found whole, and nothing is lost between them."""
    data = b"".join(REPLIES)

    found, rest = list[bytes](), b""
    for at in range(0, len(data), size):
        replies, rest = split_replies(rest + data[at : at + size])
        found += replies

    assert found == REPLIES
    assert rest == b""
    assert [is_message(reply) for reply in found] == [False, True, False, False, False, False]


class Rig:
    """A broker behind a proxy, and a line through it."""

    def __init__(self, url: str, port: int) -> None:
        self.proxy = Proxy(port, int(url.rsplit(":", 1)[1].partition("/")[0]), random.Random(1))
        self.line: Broker = connect(f"redis://{HOST}:{port}/0", name="test", timeout_ms=500, connections=1)

    async def __aenter__(self) -> Self:
        await self.proxy.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.line.aclose()
        await self.proxy.close()


async def test_on_a_clear_day_everything_passes(broker: str, free_port: FreePort) -> None:
    """A proxy without weather is as good as a wire."""
    async with Rig(broker, free_port()) as rig:
        value = b"\r\n" * 100_000

        await rig.line.command("SET", "k", value, "EX", 100)

        assert await rig.line.command("GET", "k") == value


@pytest.mark.parametrize("weather", [Weather(is_deaf=True), Weather(is_mute=True)])
async def test_what_is_withheld_passes_when_the_weather_clears(
    broker: str, free_port: FreePort, weather: Weather
) -> None:
    """A half-open line delivers nothing, and loses nothing from a connection's midst."""
    async with Rig(broker, free_port()) as rig:
        await rig.line.command("PING")
        rig.proxy.turn(weather)
        asking = asyncio.create_task(rig.line.command("PING"))

        silent, _ = await asyncio.wait([asking], timeout=0.2)
        rig.proxy.turn(CLEAR)

        assert not silent
        assert await asking


async def test_only_messages_of_pub_sub_are_lost(broker: str, free_port: FreePort, eventually: Eventually) -> None:
    """Replies always arrive; messages fall by their share, and are counted."""
    async with Rig(broker, free_port()) as rig:
        rig.proxy.turn(Weather(lost_messages=1.0))
        reader, writer = await asyncio.open_connection(HOST, rig.proxy.port)
        writer.write(b"SUBSCRIBE c\r\n")
        await reader.readuntil(b":1\r\n")

        await rig.line.command("PUBLISH", "c", "gone")

        await eventually(lambda: rig.proxy.lost == 1)
        writer.transport.abort()


async def test_a_reset_breaks_every_line(broker: str, free_port: FreePort) -> None:
    """Connections break at once, and new ones can be had."""
    async with Rig(broker, free_port()) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.proxy.port)
        writer.write(b"PING\r\n")
        await reader.readuntil(b"\r\n")

        broken = rig.proxy.reset()

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert broken == 1
        assert await rig.line.command("PING")
        writer.transport.abort()
