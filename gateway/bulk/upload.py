"""A file on its way in: out of the form, piece by piece into Redis; never whole in memory.

It can be found once all of it is there. What was begun and not finished goes by itself, within the hour.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.client import Arrival, check_encoding
from shared.bulk_file import MAX_FILE_BYTES, PIECE_BYTES, BulkFile, BulkFiles, new_tag
from shared.errors import PoolError, Refused

from .multipart import Head, Multipart, Seen, boundary_of

WHOLE_S = 900.0
MAX_FORM_BYTES = MAX_FILE_BYTES + 65_536
MOST_FILES = 100  # of a tenant
PIECES_A_LOOK = 4  # between two looks at the room that the tenant's other files leave
MAX_FIELD_BYTES = 1_024
MAX_LINES = 200_000  # blank ones too: each is looked at
MAX_NAME_CHARACTERS = 255
HOUR_MS = 3_600_000
LIFE_MS = 48 * HOUR_MS
MAX_LIFE_MS = 720 * HOUR_MS


class Upload:
    """One file."""

    def __init__(self, files: BulkFiles, *, tenant: str, room_bytes: int) -> None:
        self._files = files
        self._tenant = tenant
        self._room_bytes = room_bytes  # of all the tenant's files together
        self._left_bytes = room_bytes  # of it, for this one
        self._tag = new_tag()
        self._fields: dict[str, bytes] = {}
        self._field: str | None = None
        self._name: str | None = None
        self._held = bytearray()
        self._pieces = 0
        self._bytes = 0
        self._lines = 0
        self._ends = 0
        self._is_blank = True  # the line that is coming in

    async def run(self, headers: Headers, receive: Receive) -> BulkFile:
        """Take the file in.

        Raises:
            Refused: the form is none, lacks something, or is too large.
            Fault: broker_down.
            ClientDisconnect: the client left in its midst.

        """
        parts = Multipart(boundary_of(headers.get("content-type", "")))
        check_encoding(headers)
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > MAX_FORM_BYTES:
            raise _too_large()
        try:
            await self._files.begin(self._tag, tenant=self._tenant)
            await self._look()
            async for data in _body(receive):
                for seen in parts.feed(data):
                    await self._take(seen)
            if not parts.has_ended:
                raise Refused("invalid_value", "The form ends before its last boundary.")
            return await self._finish()
        except TimeoutError as error:
            await self._drop()
            raise Refused("invalid_value", "The file did not arrive in time.", param="file") from error
        except (PoolError, ClientDisconnect):
            await self._drop()
            raise

    async def _take(self, seen: Seen) -> None:
        if isinstance(seen, Head):
            self._begin(seen)
        elif self._field is not None:
            value = self._fields[self._field] = self._fields[self._field] + seen
            if len(value) > MAX_FIELD_BYTES:
                raise Refused("invalid_value", f"`{self._field}` is too long.", param=self._field)
        else:
            await self._add(seen)

    def _begin(self, head: Head) -> None:
        if head.field != "file":
            self._field = head.field[:64]
            self._fields[self._field] = b""
            if len(self._fields) > 16:
                raise Refused("invalid_value", "The form has too many fields.")
        elif self._name is not None:
            raise Refused("invalid_value", "One file at a time.", param="file")
        else:
            self._field, self._name = None, (head.file_name or "file")[:MAX_NAME_CHARACTERS]

    async def _add(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > MAX_FILE_BYTES:
            raise _too_large()
        self._check_room()
        self._count(data)
        self._held += data
        while len(self._held) >= PIECE_BYTES:
            piece = bytes(self._held[:PIECE_BYTES])
            del self._held[:PIECE_BYTES]
            await self._files.append(self._tag, piece)
            self._pieces += 1
            if self._pieces % PIECES_A_LOOK == 0:
                await self._look()

    async def _look(self) -> None:
        """See what the tenant's other files leave: several may come in at once, at several gateways."""
        taken = await self._files.taken_before(self._tag, tenant=self._tenant)
        if taken.files >= MOST_FILES:
            raise Refused("body_too_large", f"You keep {taken.files} files: delete some, or wait until they expire.")
        self._left_bytes = self._room_bytes - taken.bytes
        self._check_room()

    def _check_room(self) -> None:
        if self._bytes > self._left_bytes:
            said = "Your files take as much room as they may: delete some, or wait until they expire."
            raise Refused("body_too_large", said, param="file")

    def _count(self, data: bytes) -> None:
        self._ends += data.count(b"\n")
        if self._ends > MAX_LINES:
            raise Refused("invalid_value", f"A file has at most {MAX_LINES:,} lines, with blank ones.", param="file")
        for at, part in enumerate(data.split(b"\n")):
            if at:
                self._lines += not self._is_blank
                self._is_blank = True
            self._is_blank = self._is_blank and (not part or part.isspace())

    async def _finish(self) -> BulkFile:
        if self._name is None:
            raise Refused("missing_field", "`file` is missing.", param="file")
        if not self._bytes:
            raise Refused("invalid_value", "The file is empty.", param="file")
        purpose = self._text("purpose")
        if purpose != "batch":
            said = f"Files are for batches here, not for {purpose!r}." if purpose else "`purpose` is missing."
            raise Refused("unsupported" if purpose else "missing_field", said, param="purpose")
        await self._look()
        lines = self._lines + (not self._is_blank)
        record = {"name": self._name, "bytes": self._bytes, "lines": lines}
        return await self._files.finish(
            self._tag, bytes(self._held), record, tenant=self._tenant, life_ms=life_of(self._texts())
        )

    async def _drop(self) -> None:
        with contextlib.suppress(PoolError):
            await self._files.delete(self._tag, "input", tenant=self._tenant)

    def _text(self, field: str) -> str:
        return self._fields.get(field, b"").decode("utf-8", "replace")

    def _texts(self) -> Mapping[str, str]:
        return {field: self._text(field) for field in self._fields}


def life_of(fields: Mapping[str, str]) -> int:
    """For how long a file is kept, in ms: `expires_after`, two days without it.

    Raises:
        Refused: it is no such time.

    """
    if (given := fields.get("expires_after[seconds]")) is None:
        return LIFE_MS
    seconds = int(given) if given.isascii() and given.isdigit() and len(given) < 9 else 0
    if not HOUR_MS <= seconds * 1_000 <= MAX_LIFE_MS:
        said = f"A file is kept for {HOUR_MS // 1_000} … {MAX_LIFE_MS // 1_000:,} seconds."
        raise Refused("invalid_value", said, param="expires_after")
    return seconds * 1_000


async def _body(receive: Receive) -> AsyncGenerator[bytes]:
    arrival, has_more, received = Arrival(receive, within_s=WHOLE_S), True, 0
    while has_more:
        piece, has_more = await arrival.next()
        received += len(piece)  # what stands around the parts, too
        if received > MAX_FORM_BYTES:
            raise _too_large()
        yield piece


def _too_large() -> Refused:
    return Refused("body_too_large", f"A file has at most {MAX_FILE_BYTES:,} bytes.", param="file")
