"""A gateway's files and batches over the standard library's HTTP, in as little memory as they take there."""

import contextlib
import http.client
import secrets
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import quote

import msgspec

from shared.errors import PoolError, from_wire

from .chat_client import connection_to
from .failure import Failed
from .where import Gateway

PIECE_BYTES: Final = 256 << 10
_JSON: Final = {"Content-Type": "application/json"}
T = TypeVar("T")


class Counts(msgspec.Struct, frozen=True):
    """How many lines a batch has, and of how many there is a result."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Problem(msgspec.Struct, frozen=True):
    """Why a batch failed."""

    message: str
    line: int | None = None


class Problems(msgspec.Struct, frozen=True):
    """All that is told of it."""

    data: list[Problem] = []


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What of a batch the command needs."""

    id: str
    endpoint: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: Counts = Counts()
    metadata: dict[str, str] = {}
    errors: Problems | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self.status in ("completed", "failed", "expired", "cancelled")


class _Batches(msgspec.Struct, frozen=True):
    data: list[Batch]
    has_more: bool = False


class _File(msgspec.Struct, frozen=True):
    id: str


class _Problem(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


class BulkClient:
    """The calls; each raises `OSError` or `HTTPException` where no gateway answers, `PoolError` where one says no."""

    def __init__(self, place: Gateway) -> None:
        self._place = place

    def upload(self, path: Path) -> str:
        """Put a file there; its name."""
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quote(path.name)}"\r\n\r\n'
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        size = len(head) + path.stat().st_size + len(tail)
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(size)}
        with path.open("rb") as file:
            return self._call("POST", "/v1/files", _File, body=_form(head, file, tail), headers=kind).id

    def begin(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> Batch:
        """Make a batch of a file."""
        asked = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": "24h", "metadata": metadata}
        return self._call("POST", "/v1/batches", Batch, body=msgspec.json.encode(asked), headers=_JSON)

    def batch(self, batch_id: str) -> Batch:
        """A batch as it is now."""
        return self._call("GET", f"/v1/batches/{batch_id}", Batch)

    def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch."""
        return self._call("POST", f"/v1/batches/{batch_id}/cancel", Batch)

    def batches(self) -> Iterator[Batch]:
        """All that are there, the newest first."""
        after = ""
        while True:
            page = self._call("GET", f"/v1/batches?limit=100{after}", _Batches)
            yield from page.data
            if not page.has_more:
                return
            after = f"&after={page.data[-1].id}"

    def download(self, file_id: str, path: Path) -> None:
        """Fetch a file; it is there whole or not at all."""
        part = path.with_name(f"{path.name}.part")
        with self._asked("GET", f"/v1/files/{file_id}/content") as response, part.open("wb") as file:
            while piece := response.read(PIECE_BYTES):
                file.write(piece)
            if response.length:  # the library takes a connection's end for the file's
                raise http.client.IncompleteRead(b"", response.length)
        part.replace(path)

    def _call(self, method: str, path: str, kind: type[T], **how: Any) -> T:
        with self._asked(method, path, **how) as response:
            return msgspec.json.decode(response.read(), type=kind)

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, *, body: bytes | Iterator[bytes] | None = None, headers: Mapping[str, str] = {}
    ) -> Generator[http.client.HTTPResponse]:
        told = {**headers, **({"Authorization": f"Bearer {self._place.key}"} if self._place.key else {})}
        with contextlib.closing(connection_to(self._place.url)) as connection:
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # a gateway may refuse before it has it all
                connection.request(method, path, body, told)
            with connection.getresponse() as response:
                if response.status != http.client.OK:
                    raise _refusal(response)
                yield response


def _form(head: bytes, file: BinaryIO, tail: bytes) -> Iterator[bytes]:
    yield head
    while piece := file.read(PIECE_BYTES):
        yield piece
    yield tail


def _refusal(response: http.client.HTTPResponse) -> PoolError | Failed:
    try:
        told = msgspec.json.decode(response.read(), type=_Refusal).error
    except msgspec.DecodeError:
        return Failed(f"The gateway answered {response.status} {response.reason}.")
    return from_wire(told.code or "internal", told.message)
