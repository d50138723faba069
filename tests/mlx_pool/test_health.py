"""Asking a gateway how it is."""

import asyncio
import socket

import pytest

from mlx_pool.up.health import Door, look


@pytest.mark.parametrize(("address", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
async def test_a_gateway_is_called_by_its_address(address: str, shown: str) -> None:
    """It refuses who calls it by what is no name: an `up` on `::1` would else wait for ever."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend((await reader.readuntil(b"\r\n\r\n")).splitlines())
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    try:
        server = await asyncio.start_server(answer, address, 0, family=socket.AF_UNSPEC)
    except OSError:
        pytest.skip("this machine has no such address")
    port = server.sockets[0].getsockname()[1]

    async with server:
        assert await look(Door(address, port)) == "ready"

    assert f"Host: {shown}:{port}".encode() in heard
