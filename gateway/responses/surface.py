"""The routes of OpenAI's Responses API."""

from starlette.routing import Route

from gateway.following import Following

from .creating import Creating
from .shelf import Shelf
from .stored import StoredResponses

ROUTE = "/v1/responses"


def responses_routes(following: Following) -> list[Route]:
    """The routes, on this pool."""
    shelf = Shelf(following.pool)
    creating, stored = Creating(following, shelf), StoredResponses(following, shelf)
    one = Route(f"{ROUTE}/{{id}}", stored.by_id, methods=["GET", "DELETE"])
    # Starlette adds HEAD to every GET; on a stream it would follow the whole job to send nothing of it.
    assert one.methods
    one.methods.discard("HEAD")
    return [
        Route(ROUTE, creating.create, methods=["POST"]),
        one,
        Route(f"{ROUTE}/{{id}}/cancel", stored.cancel, methods=["POST"]),
        Route(f"{ROUTE}/{{id}}/input_items", stored.input_items),
    ]
