"""The door at which other machines take models: manifests and files, by ranges, to whoever shows the token.

A file is asked for by its number in a manifest: no name that comes in ever becomes a path.
"""

import hmac
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from .stock import Given


def door(token: str, by_digest: Mapping[str, Given]) -> Starlette:
    """Make the door. `by_digest` is looked into at each request: what is added is given from then on."""
    expected = f"Bearer {token}".encode()

    async def manifest(request: Request) -> Response:
        found = _found(request)
        return Response(found.manifest, media_type="application/json") if found else _nothing()

    async def file(request: Request) -> Response:
        found, number = _found(request), int(request.path_params["number"])
        if found is None or number >= len(found.paths) or not found.paths[number].is_file():
            return _nothing()
        return _File(found.paths[number], media_type="application/octet-stream")

    def _found(request: Request) -> Given | None:
        shown = request.headers.get("authorization", "").encode()
        return by_digest.get(request.path_params["digest"]) if hmac.compare_digest(shown, expected) else None

    return Starlette(
        routes=[
            Route("/models/{digest}/manifest", manifest, methods=["GET"]),
            Route("/models/{digest}/files/{number:int}", file, methods=["GET"]),
        ]
    )


class _File(FileResponse):
    chunk_size = 1 << 20  # each is read in a thread of its own: of Starlette's 64 KiB there would be too many


def _nothing() -> Response:
    """Answer who shows no token as who asks for what there is not: nobody learns which models lie here."""
    return PlainTextResponse("not found\n", status_code=404)
