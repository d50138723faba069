"""Waiting until the pool answers, by its own `GET /health`."""

import asyncio
from typing import Literal

import msgspec

from .address import in_url

_LOOK_EVERY_S = 0.25
_ANSWER_WITHIN_S = 5.0

Health = Literal["down", "alive", "ready"]


class Door(msgspec.Struct, frozen=True):
    """Where the gateway is asked, and with which key, if it wants one."""

    host: str
    port: int
    key: str | None = None


async def until(wanted: Literal["alive", "ready"], door: Door) -> None:
    """Return once the gateway answers (`alive`), or answers that a job would run now (`ready`). There is no limit.

    A model may take an hour to download, and the parts tell of themselves meanwhile.
    """
    good = {"alive", "ready"} if wanted == "alive" else {"ready"}
    while await look(door) not in good:  # noqa: ASYNC110 -- the gateway is another process, and has no signal
        await asyncio.sleep(_LOOK_EVERY_S)


async def look(door: Door) -> Health:
    """Ask once."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            status = await _status_of(door, "/health")
    except (OSError, TimeoutError, ValueError):
        return "down"
    return "ready" if status == 200 else "alive"


async def _status_of(door: Door, path: str) -> int:
    key = f"Authorization: Bearer {door.key}\r\n" if door.key else ""
    reader, writer = await asyncio.open_connection(door.host, door.port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {in_url(door.host)}:{door.port}\r\n{key}Connection: close\r\n\r\n"
        writer.write(head.encode())
        _, status, *_ = (await reader.readline()).split(b" ")
        return int(status)
    finally:
        writer.close()
