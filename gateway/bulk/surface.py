"""The routes for bulk work."""

from starlette.routing import Route

from .batches import BatchCalls
from .files import Files
from .loop import Bulk


def bulk_routes(bulk: Bulk) -> list[Route]:
    """The routes, on this pool."""
    files = Files(bulk.files, bulk.batches)
    batches = BatchCalls(bulk.files, bulk.batches, bulk.look)
    return [
        Route("/v1/files", files.all, methods=["GET", "POST"]),
        Route("/v1/files/{id}", files.one, methods=["GET", "DELETE"]),
        Route("/v1/files/{id}/content", files.content),
        Route("/v1/batches", batches.all, methods=["GET", "POST"]),
        Route("/v1/batches/{id}", batches.one),
        Route("/v1/batches/{id}/cancel", batches.cancel, methods=["POST"]),
    ]
