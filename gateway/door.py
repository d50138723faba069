"""What every request passes: a request id, the API key, a closed door while draining, and the counting of answers.

A plain ASGI wrapper: Starlette's BaseHTTPMiddleware would put a task and a queue between a stream and its client.
"""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Fault, PoolError

from .drain import Drain
from .errors import error_response
from .keys import ApiKey
from .metrics import Metrics

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
LEFT = 499  # in logs and metrics only: the client left before there was an answer
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ALWAYS_OPEN = frozenset({"/health/live"})
_OPEN_WHILE_DRAINING = frozenset({"/health/live", "/health", "/metrics", "/pool"})


class Door:
    """Stands in front of the routes."""

    def __init__(self, app: ASGIApp, *, key: ApiKey | None, metrics: Metrics, drain: Drain) -> None:
        self._app = app
        self._key = key
        self._metrics = metrics
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        assert scope["type"] == "http"
        began_at = time.monotonic()
        request_id = _request_id(Headers(scope=scope))
        status = 0

        async def send_told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._metrics.answered(_route(scope), scope["method"], status, time.monotonic() - began_at)
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            self._check(scope)
        except PoolError as error:
            await error_response(error)(scope, receive, send_told)
        else:
            await self._app(scope, receive, send_told)
        finally:
            self._note(scope, status, request_id, time.monotonic() - began_at)

    def _check(self, scope: Scope) -> None:
        path = scope["path"]
        if self._key and path not in _ALWAYS_OPEN:
            self._key.check(Headers(scope=scope).get("authorization"))
        if self._drain.is_draining and path not in _OPEN_WHILE_DRAINING:
            raise Fault("draining", "This gateway stops; ask again.")

    def _note(self, scope: Scope, status: int, request_id: str, took_s: float) -> None:
        route = _route(scope)
        if not status:
            status = LEFT
            self._metrics.answered(route, scope["method"], status, took_s)
        write = log.info if route.startswith("/chat") or status >= 400 else log.debug
        write(
            "request_ended",
            request=request_id,
            method=scope["method"],
            route=route,
            status=status,
            took_ms=round(took_s * 1_000, 1),
        )


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "none")


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
