"""HTTP/1.1 as a client of the pool speaks it: a request, and its answer's server-sent events as they come.

By hand on asyncio's streams, since the connection is what a run is about: it is cut, left half read, or never answered.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from .broker import HOST


class Broken(Exception):
    """The connection could not be had, broke, or was silent for too long."""


class Sent(msgspec.Struct, frozen=True):
    """One server-sent event: its place, empty where it has none, and its JSON."""

    place: str
    event: dict[str, Any]


class Answer:
    """An answer whose head has been read; to be closed by its reader."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silent_s: float) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._reader = reader
        self._writer = writer
        self._silent_s = silent_s

    def close(self) -> None:
        """Leave, whatever is still on its way."""
        self._writer.transport.abort()

    async def read_head(self) -> None:
        """Read the status and the headers; they may take as long as the first token does."""
        head = (await self._within(self._reader.readuntil(b"\r\n\r\n"))).decode()
        first, *rest = head.split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}

    async def json(self) -> dict[str, Any]:
        """Read an answer that is no stream."""
        body = await self._within(self._reader.readexactly(int(self.headers.get("content-length", "0"))))
        return json.loads(body) if body else {}

    async def events(self) -> AsyncIterator[Sent]:
        """Give the events until the clean end.

        Raises:
            Broken: it was cut off, or fell silent.

        """
        rest = b""
        while chunk := await self._chunk():
            *blocks, rest = (rest + chunk).split(b"\n\n")
            for block in blocks:
                if sent := _sent(block):
                    yield sent

    async def _chunk(self) -> bytes:
        size = int(await self._within(self._reader.readuntil(b"\r\n")), 16)
        return (await self._within(self._reader.readexactly(size + 2)))[:size]

    async def _within(self, reading: Any) -> bytes:
        try:
            async with asyncio.timeout(self._silent_s):
                return await reading
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
            raise Broken(type(error).__name__) from error


async def ask(
    port: int, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"", silent_s: float
) -> Answer:
    """Send a request and read the head of its answer.

    Raises:
        Broken: there is none.

    """
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError as error:
        raise Broken(type(error).__name__) from error
    answer = Answer(reader, writer, silent_s)
    try:
        writer.write(_head(port, method, path, headers or {}, len(body)) + body)
        await answer.read_head()
    except BaseException:
        answer.close()
        raise
    return answer


def _head(port: int, method: str, path: str, headers: dict[str, str], length: int) -> bytes:
    fixed = {"Host": f"{HOST}:{port}", "Connection": "close", "Accept": "text/event-stream"}
    if length:
        fixed |= {"Content-Type": "application/json", "Content-Length": str(length)}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (fixed | headers).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _sent(block: bytes) -> Sent | None:
    place = data = ""
    for line in block.decode().split("\n"):
        name, _, value = line.partition(": ")
        if name == "id":
            place = value
        elif name == "data":
            data = value
    return Sent(place, json.loads(data)) if data else None
