"""`/v1/batches`: many requests out of a file."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.caller import caller_of
from gateway.client import read_body
from gateway.hints import ignored_headers
from gateway.openai.fields import Field, Fields
from gateway.openai.reading import read_request
from shared.bulk import KEPT_MS, Batch, Batches
from shared.bulk_file import BulkFile, BulkFiles, new_tag
from shared.errors import Refused

from .names import batch_name, read_batch_name, read_file_name
from .page import page_of
from .told import BatchObject, batch_object

WITHIN_MS = 86_400_000
MOST_LINES = 50_000  # as OpenAI has it
MOST_OPEN = 100  # of a tenant
OPEN_AGAIN_MS = 60_000
PAGE = 20
_SUPPORTED = Field("supported")
FIELDS: Fields = {
    "input_file_id": _SUPPORTED,
    "endpoint": Field("supported", "`/v1/chat/completions`, `/v1/completions`, `/v1/responses`"),
    "completion_window": Field("supported", "`24h`"),
    "metadata": Field("supported", "16 pairs; repeated in the answer"),
    "output_expires_after": Field("hint", "results are kept for two days behind the window"),
}


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/batches`."""

    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/responses"]
    completion_window: Literal["24h"] = "24h"
    metadata: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
    ] = {}


class BatchCalls:
    """The calls on batches."""

    def __init__(self, files: BulkFiles, batches: Batches, look: Callable[[], None]) -> None:
        self._files = files
        self._batches = batches
        self._look = look

    async def all(self, request: Request) -> ASGIApp:
        """Make one, or list those that are there."""
        return await (self._make(request) if request.method == "POST" else self._list(request))

    async def one(self, request: Request) -> Response:
        """Tell of one."""
        return _json(batch_object(await self._find(request)))

    async def cancel(self, request: Request) -> Response:
        """Cancel one; what has its result keeps it."""
        batch = await self._find(request)
        await self._batches.cancel(batch.tag)
        self._look()
        return _json(batch_object(await self._batches.find(batch.tag) or batch))

    async def _make(self, request: Request) -> ASGIApp:
        body = await read_body(request.headers, request.receive)
        asked, ignored = read_request(body, BatchRequest, FIELDS)
        caller = caller_of(request.scope)
        file = await self._input(asked.input_file_id, caller.tenant)
        await self._check_open(caller.tenant)
        # Longer than the batch may take: what it reads must not go before it.
        await self._files.keep(file.tag, WITHIN_MS + KEPT_MS)
        tag = new_tag()
        record = {
            "caller": msgspec.json.encode(msgspec.structs.replace(caller, answer_headers=[])),
            "endpoint": asked.endpoint,
            "input": file.tag,
            "window": asked.completion_window,
            "metadata": msgspec.json.encode(asked.metadata),
            "total": file.lines,
        }
        await self._batches.open(tag, record, tenant=caller.tenant, within_ms=WITHIN_MS)
        self._look()
        batch = await self._batches.find(tag)
        assert batch
        return _json(batch_object(batch), {name.decode(): value.decode() for name, value in ignored_headers(ignored)})

    async def _input(self, name: str, tenant: str) -> BulkFile:
        found = read_file_name(name)
        file = await self._files.find(found.tag) if found and found.part == "input" else None
        if not file or file.tenant != tenant:
            raise Refused("invalid_value", "No such file, or it has expired.", param="input_file_id")
        if not file.lines:
            raise Refused("invalid_value", "The file has no lines.", param="input_file_id")
        if file.lines > MOST_LINES:
            said = f"A batch has at most {MOST_LINES:,} requests; this file has {file.lines:,}: split it."
            raise Refused("invalid_value", said, param="input_file_id")
        return file

    async def _check_open(self, tenant: str) -> None:
        unfinished = sum(each == tenant for _, each, _ in await self._batches.unfinished())
        if unfinished >= MOST_OPEN:
            said = f"{unfinished} of your batches have not ended: wait for one of them, or cancel one."
            raise Refused("too_many_jobs", said, retry_after_ms=OPEN_AGAIN_MS)

    async def _list(self, request: Request) -> Response:
        tenant = caller_of(request.scope).tenant
        names = [batch_name(tag) for tag in await self._batches.tags(tenant)]

        async def find(name: str) -> BatchObject | None:
            batch = await self._of(name, tenant)
            return batch_object(batch) if batch else None

        return _json(await page_of(names, find, request.query_params, default=PAGE))

    async def _find(self, request: Request) -> Batch:
        """The batch of this name; unknown, expired and another's are one 404."""
        if batch := await self._of(request.path_params["id"], caller_of(request.scope).tenant):
            return batch
        raise Refused("not_found", "No such batch, or it has expired.")

    async def _of(self, name: str, tenant: str) -> Batch | None:
        tag = read_batch_name(name)
        batch = await self._batches.find(tag) if tag else None
        return batch if batch and batch.tenant == tenant else None


def _json(told: msgspec.Struct, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(told), headers=headers, media_type="application/json")
