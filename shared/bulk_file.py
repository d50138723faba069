"""Files for bulk work, in Redis: what a client uploads, and what its batches give. All of one lies in one slot.

A file is a list of pieces. Those of an upload all have `PIECE_BYTES` but the last, so that a place in it is a number.
Every method raises `Fault("broker_down")` when Redis does not answer.
"""

import secrets
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal

import msgspec

from . import scripts
from .connection import Arg, Broker
from .keys import bulk_list, bulk_prefix

PIECE_BYTES = 256 << 10
MAX_FILE_BYTES = 64 << 20
UPLOAD_MS = 3_600_000  # how long pieces live whose upload was never finished
LIST_MS = 31 * 86_400_000

Part = Literal["input", "output", "errors"]  # of what lies under one tag


class BulkFile(msgspec.Struct, frozen=True):
    """A file that was uploaded, as its record has it; times are the broker's, in ms."""

    tag: str
    tenant: str
    name: str
    bytes: int
    lines: int  # with anything in them
    created: int
    expires: int


def new_tag() -> str:
    """What files and batches are found by: 128 random bits, so nobody guesses it."""
    return secrets.token_hex(16)


class BulkFiles:
    """The files of all tenants."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def append(self, tag: str, piece: bytes) -> None:
        """Add a piece to an upload."""
        await scripts.call(self._broker, "file_append", bulk_prefix(tag), [piece, UPLOAD_MS])

    async def finish(self, tag: str, piece: bytes, record: Mapping[str, Arg], *, tenant: str, life_ms: int) -> BulkFile:
        """Add the last piece, maybe an empty one, and the record; from now on the file can be found."""
        fields: list[Arg] = [word for pair in {**record, "tenant": tenant}.items() for word in pair]
        now: int = await scripts.call(self._broker, "file_append", bulk_prefix(tag), [piece, life_ms, *fields])
        await enlist(self._broker, bulk_list(tenant, "files"), tag, now)
        return msgspec.convert(
            {**record, "tag": tag, "tenant": tenant, "created": now, "expires": now + life_ms}, BulkFile
        )

    async def find(self, tag: str) -> BulkFile | None:
        """An uploaded file by its tag."""
        told: dict[bytes, bytes] = await self._broker.command("HGETALL", f"{bulk_prefix(tag)}:input")
        if not told:
            return None
        fields: dict[str, Any] = {name.decode(): value.decode() for name, value in told.items()}
        return msgspec.convert(fields | {"tag": tag}, BulkFile, strict=False)

    async def tags(self, tenant: str) -> list[str]:
        """A tenant's uploads, the newest first; some may be gone."""
        return await listed(self._broker, bulk_list(tenant, "files"))

    async def keep(self, tag: str, life_ms: int) -> None:
        """Let an upload live for so long at least."""
        keys = (f"{bulk_prefix(tag)}:input", f"{bulk_prefix(tag)}:input:data")
        await self._broker.commands([("PEXPIRE", key, life_ms, "GT") for key in keys])

    async def piece(self, tag: str, part: Part, number: int) -> bytes | None:
        """The n-th piece, from 0; None behind the last."""
        return await self._broker.command("LINDEX", f"{bulk_prefix(tag)}:{part}:data", number)

    async def pieces(self, tag: str, part: Part) -> AsyncGenerator[bytes]:
        """All pieces, one at a time."""
        number = 0
        while (piece := await self.piece(tag, part, number)) is not None:
            yield piece
            number += 1

    async def has(self, tag: str, part: Part) -> bool:
        """Whether there is anything of it."""
        return bool(await self._broker.command("EXISTS", f"{bulk_prefix(tag)}:{part}:data"))

    async def delete(self, tag: str, part: Part) -> None:
        """Let it go."""
        keys = [f"{bulk_prefix(tag)}:{part}:data", *([f"{bulk_prefix(tag)}:input"] if part == "input" else [])]
        await self._broker.command("UNLINK", *keys)


async def enlist(broker: Broker, key: str, tag: str, now_ms: int) -> None:
    """Note that something was made, in a list that forgets what is older than anything lives."""
    await broker.commands(
        [("ZADD", key, now_ms, tag), ("PEXPIRE", key, LIST_MS), ("ZREMRANGEBYSCORE", key, "-inf", now_ms - LIST_MS)]
    )


async def listed(broker: Broker, key: str) -> list[str]:
    """The tags in such a list, the newest first."""
    return [tag.decode() for tag in await broker.command("ZREVRANGE", key, 0, -1)]
