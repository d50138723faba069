"""Files for bulk work, in Redis: what a client uploads, and what its batches give. All of one lies in one slot.

A file is a list of pieces. Those of an upload all have `PIECE_BYTES` but the last, so that a place in it is a number.
Every method raises `Fault("broker_down")` when Redis does not answer.
"""

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from . import scripts
from .connection import Arg, Broker
from .keys import bulk_list, bulk_prefix

PIECE_BYTES = 256 << 10
MAX_FILE_BYTES = 64 << 20
UPLOAD_MS = 3_600_000  # how long pieces live whose upload was never finished
LIST_MS = 31 * 86_400_000
_FILES_A_LOOK = 500

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


class Taken(NamedTuple):
    """What a tenant's files take."""

    files: int
    bytes: int


def new_tag() -> str:
    """What files and batches are found by: 128 random bits, so nobody guesses it."""
    return secrets.token_hex(16)


class _Entry(NamedTuple):
    """An upload on its tenant's list."""

    tag: str
    begun_ms: int  # or whole since then
    record: Mapping[bytes, bytes]  # empty: it is under way, or gone
    pieces: int

    @property
    def size(self) -> int:
        return int(self.record[b"bytes"]) if self.record else self.pieces * PIECE_BYTES

    def is_gone(self, now_ms: int) -> bool:
        # One that was just begun has nothing either.
        return not (self.record or self.pieces) and self.begun_ms <= now_ms - UPLOAD_MS


class BulkFiles:
    """The files of all tenants."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def begin(self, tag: str, *, tenant: str) -> None:
        """Let an upload count among its tenant's from now on; it can be found when it is whole."""
        now: int = await scripts.call(self._broker, "file_append", bulk_prefix(tag), [b"", UPLOAD_MS])
        await enlist(self._broker, bulk_list(tenant, "files"), tag, now, life_ms=LIST_MS)

    async def append(self, tag: str, piece: bytes) -> None:
        """Add a piece to an upload."""
        await scripts.call(self._broker, "file_append", bulk_prefix(tag), [piece, UPLOAD_MS])

    async def finish(self, tag: str, piece: bytes, record: Mapping[str, Arg], *, tenant: str, life_ms: int) -> BulkFile:
        """Add the last piece, maybe an empty one, and the record; from now on the file can be found."""
        fields: list[Arg] = [word for pair in {**record, "tenant": tenant}.items() for word in pair]
        now: int = await scripts.call(self._broker, "file_append", bulk_prefix(tag), [piece, life_ms, *fields])
        await enlist(self._broker, bulk_list(tenant, "files"), tag, now, life_ms=LIST_MS)
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

    async def taken_before(self, tag: str, *, tenant: str) -> Taken:
        """What a tenant's whole files take, and those under way that were begun before this one.

        So of uploads that come in together the first ones find room. What is gone is struck from the list.
        """
        key = bulk_list(tenant, "files")
        entries = await self._entries(key)
        now_ms = max((each.begun_ms for each in entries), default=0)
        gone = [each.tag for each in entries if each.is_gone(now_ms)]
        if gone:
            await self._broker.command("ZREM", key, *gone)
        return _taken_before(tag, [each for each in entries if not each.is_gone(now_ms)])

    async def _entries(self, key: str) -> list[_Entry]:
        listed: list[bytes] = await self._broker.command("ZREVRANGE", key, 0, -1, "WITHSCORES")
        entries: list[_Entry] = []
        for at in range(0, len(listed), 2 * _FILES_A_LOOK):
            part = listed[at : at + 2 * _FILES_A_LOOK]
            tags, begun = [tag.decode() for tag in part[::2]], [int(score) for score in part[1::2]]
            keys = [f"{bulk_prefix(tag)}:input" for tag in tags]
            told = await self._broker.commands(
                [row for key in keys for row in (("HGETALL", key), ("LLEN", f"{key}:data"))]
            )
            entries += map(_Entry, tags, begun, told[::2], told[1::2])
        return entries

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

    async def delete(self, tag: str, part: Part, *, tenant: str) -> None:
        """Let it go."""
        keys = [f"{bulk_prefix(tag)}:{part}:data", *([f"{bulk_prefix(tag)}:input"] if part == "input" else [])]
        await self._broker.command("UNLINK", *keys)
        if part == "input":
            await self._broker.command("ZREM", bulk_list(tenant, "files"), tag)


def _taken_before(tag: str, entries: Sequence[_Entry]) -> Taken:
    own = next((place for place, each in enumerate(entries) if each.tag == tag), -1)
    counted = [each for place, each in enumerate(entries) if each.record or place > own]  # the newest come first
    return Taken(len(counted), sum(each.size for each in counted))


async def enlist(broker: Broker, key: str, tag: str, now_ms: int, *, life_ms: int) -> None:
    """Note that something was made, in a list that forgets what is older than anything lives."""
    await broker.commands(
        [("ZADD", key, now_ms, tag), ("PEXPIRE", key, life_ms), ("ZREMRANGEBYSCORE", key, "-inf", now_ms - life_ms)]
    )


async def listed(broker: Broker, key: str) -> list[str]:
    """The tags in such a list, the newest first."""
    return [tag.decode() for tag in await broker.command("ZREVRANGE", key, 0, -1)]
