"""`/v1/files`: what a batch reads, and what it gave."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from gateway.caller import caller_of
from gateway.query import choice_in
from shared.bulk import Batches
from shared.bulk_file import BulkFiles
from shared.errors import Refused

from .names import FileName, file_name, read_file_name
from .page import page_of
from .told import FileObject, result_object, upload_object
from .upload import Upload

ROOM_BYTES = 512 << 20  # of a tenant's uploads together
PAGE = 100


class Files:
    """The calls on files."""

    def __init__(self, files: BulkFiles, batches: Batches) -> None:
        self._files = files
        self._batches = batches

    async def all(self, request: Request) -> ASGIApp:
        """Take one in, or list those that are there."""
        return await (self._upload(request) if request.method == "POST" else self._list(request))

    async def one(self, request: Request) -> Response:
        """Tell of one, or let it go."""
        name, told = await self._find(request)
        if request.method != "DELETE":
            return _json(told)
        await self._files.delete(name.tag, name.part, tenant=caller_of(request.scope).tenant)
        return _json({"id": told.id, "object": "file", "deleted": True})

    async def content(self, request: Request) -> Response:
        """All of it, a piece at a time."""
        name, told = await self._find(request)
        headers = {"content-length": str(told.bytes), "content-disposition": "attachment"}
        pieces = self._files.pieces(name.tag, name.part)
        return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")

    async def _upload(self, request: Request) -> ASGIApp:
        upload = Upload(self._files, tenant=caller_of(request.scope).tenant, room_bytes=ROOM_BYTES)
        return _json(upload_object(await upload.run(request.headers, request.receive)))

    async def _list(self, request: Request) -> Response:
        """A tenant's uploads; what batches gave is named by them."""
        tenant = caller_of(request.scope).tenant
        names = [file_name(tag) for tag in await self._files.tags(tenant)]
        if choice_in(request.query_params, "order", ("asc", "desc")) == "asc":
            names.reverse()

        async def find(name: str) -> FileObject | None:
            return await self._of(read_file_name(name), tenant)

        return _json(await page_of(names, find, request.query_params, default=PAGE))

    async def _find(self, request: Request) -> tuple[FileName, FileObject]:
        """The file of this name; unknown, expired and another's are one 404."""
        name = read_file_name(request.path_params["id"])
        told = await self._of(name, caller_of(request.scope).tenant)
        if name is None or told is None:
            raise Refused("not_found", "No such file, or it has expired.")
        return name, told

    async def _of(self, name: FileName | None, tenant: str) -> FileObject | None:
        if name is None:
            return None
        if name.part == "input":
            file = await self._files.find(name.tag)
            return upload_object(file) if file and file.tenant == tenant else None
        batch = await self._batches.find(name.tag)
        if not batch or batch.tenant != tenant or batch.ended is None:
            return None
        return result_object(batch, name.part) if await self._files.has(name.tag, name.part) else None


def _json(told: msgspec.Struct | dict[str, object]) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")
