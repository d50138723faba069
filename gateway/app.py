"""The routes, and what stands around them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import PoolError

from .access.host import Hosts
from .access.lock import Lock
from .caller import caller_of
from .chat import Chat
from .door import Door
from .drain import Drain
from .errors import on_crash, on_http_error, on_leaving, on_pool_error
from .health import check_health
from .metrics.pool import pool_summary, pool_text
from .metrics.process import CONTENT_TYPE, Metrics
from .openapi.document import document
from .pool import pool_view
from .query import choice_in
from .spans import Spans
from .surveys import Surveys
from .told import Alive


def make_app(
    *,
    chat: Chat,
    apis: Sequence[Route],
    surveys: Surveys,
    metrics: Metrics,
    lock: Lock | None,
    hosts: Hosts | None,
    drain: Drain,
    spans: Spans | None = None,
) -> Door:
    """Build the application; `apis` are the routes of other surfaces on the same pool."""
    views = _Views(surveys, metrics, drain, has_lock=lock is not None)
    routes = [
        Route("/chat", chat.post, methods=["POST"]),
        _without_head(Route("/chat/{id}", chat.by_id, methods=["GET", "DELETE"])),
        Route("/pool", views.pool),
        Route("/metrics", views.metrics),
        Route("/health", views.health),
        Route("/health/live", views.live),
        Route("/openapi.json", views.openapi),
        *apis,
    ]
    handlers: dict[Any, Any] = {
        PoolError: on_pool_error,
        HTTPException: on_http_error,
        ClientDisconnect: on_leaving,
        Exception: on_crash,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Door(app, lock=lock, hosts=hosts, metrics=metrics, drain=drain, spans=spans)


def _without_head(route: Route) -> Route:
    # Starlette adds HEAD to every GET; a HEAD on a stream would follow the whole job to send nothing of it.
    assert route.methods
    route.methods.discard("HEAD")
    return route


class _Views:
    """What there is to read."""

    def __init__(self, surveys: Surveys, metrics: Metrics, drain: Drain, *, has_lock: bool) -> None:
        self._surveys = surveys
        self._metrics = metrics
        self._drain = drain
        self._has_lock = has_lock

    async def pool(self, _: Request) -> Response:
        return _json(pool_view(await self._surveys.all()))

    async def metrics(self, request: Request) -> Response:
        scope = choice_in(request.query_params, "scope", ("pool",))
        if "application/json" in request.headers.get("accept", ""):
            return _json(pool_summary(await self._surveys.all()))
        if scope == "pool":
            return Response(pool_text(await self._surveys.all()), media_type=CONTENT_TYPE)
        text = self._metrics.text(tells_tenants=caller_of(request.scope).may_operate)
        return Response(text, media_type=CONTENT_TYPE)

    async def health(self, _: Request) -> Response:
        return _json(await check_health(self._surveys, is_draining=self._drain.is_draining))

    async def live(self, _: Request) -> Response:
        return _json(Alive())

    async def openapi(self, _: Request) -> Response:
        # In a thread: making it takes some tens of milliseconds, for which no stream should stand still.
        body = await asyncio.to_thread(document, has_lock=self._has_lock)
        return Response(body, media_type="application/json")


def _json(told: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")
