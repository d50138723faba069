"""The routes, and what stands around them."""

from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.errors import PoolError

from .chat import Chat
from .door import Door
from .drain import Drain
from .errors import on_crash, on_http_error, on_pool_error
from .health import check_health
from .keys import ApiKey
from .metrics import CONTENT_TYPE, Metrics, pool_summary, pool_text
from .pool import pool_fields
from .surveys import Surveys

INDEX = """\
mlx-pool

POST   /chat          a job: {"prompt": "…"} or {"messages": […]}; NDJSON, or by Accept SSE or plain text
GET    /chat/{id}     its stream again, from ?after= or Last-Event-ID
DELETE /chat/{id}     cancel it
GET    /pool          workers, models, queues
GET    /health        200 when a worker is ready; /health/live for this process alone
GET    /metrics       Prometheus; ?scope=pool for all workers, Accept: application/json for a summary
"""


def make_app(*, chat: Chat, surveys: Surveys, metrics: Metrics, key: ApiKey | None, drain: Drain) -> Door:
    """Build the application."""
    views = _Views(surveys, metrics, drain)
    routes = [
        Route("/", views.index),
        Route("/chat", chat.post, methods=["POST"]),
        _without_head(Route("/chat/{id}", chat.by_id, methods=["GET", "DELETE"])),
        Route("/pool", views.pool),
        Route("/metrics", views.metrics),
        Route("/health", views.health),
        Route("/health/live", views.live),
    ]
    handlers: dict[Any, Any] = {PoolError: on_pool_error, HTTPException: on_http_error, Exception: on_crash}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Door(app, key=key, metrics=metrics, drain=drain)


def _without_head(route: Route) -> Route:
    # Starlette adds HEAD to every GET; a HEAD on a stream would follow the whole job to send nothing of it.
    assert route.methods
    route.methods.discard("HEAD")
    return route


class _Views:
    """What there is to read."""

    def __init__(self, surveys: Surveys, metrics: Metrics, drain: Drain) -> None:
        self._surveys = surveys
        self._metrics = metrics
        self._drain = drain

    async def index(self, _: Request) -> Response:
        return PlainTextResponse(INDEX)

    async def pool(self, _: Request) -> Response:
        return _json(pool_fields(await self._surveys.all()))

    async def metrics(self, request: Request) -> Response:
        if "application/json" in request.headers.get("accept", ""):
            return _json(pool_summary(await self._surveys.all()))
        if request.query_params.get("scope") == "pool":
            return Response(pool_text(await self._surveys.all()), media_type=CONTENT_TYPE)
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def health(self, _: Request) -> Response:
        surveys = await check_health(self._surveys, is_draining=self._drain.is_draining)
        return _json({"status": "ok"} | pool_summary(surveys))

    async def live(self, _: Request) -> Response:
        return _json({"status": "ok"})


def _json(fields: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(fields), media_type="application/json")
