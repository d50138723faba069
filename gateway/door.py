"""What every request passes: its id, its Host, its API key, a closed door while draining, and the counting of answers.

A plain ASGI wrapper: Starlette's BaseHTTPMiddleware would put a task and a queue between a stream and its client.
"""

from collections.abc import Iterable

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Fault, PoolError
from shared.tracing import trace_id_of

from .access.host import Hosts
from .access.lock import Lock
from .caller import Caller, caller_of, introduce
from .drain import Drain
from .errors import error_response
from .metrics.process import Metrics
from .receipt import note_receipt, receipt_of
from .request_id import note_request_id, request_id_of
from .spans import Spans, end_span

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
LEFT = 499  # in logs and metrics only: the client left before there was an answer
_ALWAYS_OPEN = frozenset({"/health/live"})
# What a browser loads before somebody can type a key, and a bare machine before it has anything: none is the pool's.
_OPEN = frozenset({"/", "/join"})
_OPEN_FOLDERS = ("/page/", "/join/")
_OPEN_WHILE_DRAINING = frozenset({"/health/live", "/health", "/metrics", "/pool"})


class Door:
    """Stands in front of the routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        lock: Lock | None,
        hosts: Hosts | None,
        metrics: Metrics,
        drain: Drain,
        spans: Spans | None = None,
    ) -> None:
        self.app = app
        self._lock = lock
        self._hosts = hosts
        self._metrics = metrics
        self._drain = drain
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        assert scope["type"] == "http"
        receipt = note_receipt(scope)
        request_id = note_request_id(scope)
        introduce(scope, Caller())
        span = self._spans.begin(scope) if self._spans else None
        status, jobs = 0, ""

        async def send_told(message: Message) -> None:
            nonlocal status, jobs
            if message["type"] == "http.response.start":
                status, jobs = message["status"], _jobs(message["headers"])
                self._metrics.answered(_route(scope), scope["method"], status, receipt.age_s)
                told = [(b"x-request-id", request_id.encode()), *caller_of(scope).answer_headers]
                message["headers"] = [*message["headers"], *told]
            await send(message)

        try:
            self._check(scope)
        except PoolError as error:
            await error_response(error, scope=scope)(scope, receive, send_told)
        else:
            await self.app(scope, receive, send_told)
        finally:
            self._note(scope, status or LEFT, jobs)
            if span:
                end_span(span, receipt, method=scope["method"], route=_route(scope), status=status or LEFT)

    def _check(self, scope: Scope) -> None:
        path = scope["path"]
        if path not in _ALWAYS_OPEN:
            if self._hosts:
                self._hosts.check(scope["headers"])
            if self._lock and not (path in _OPEN or path.startswith(_OPEN_FOLDERS)):
                introduce(scope, self._lock.open(scope["headers"]))
        if self._drain.is_draining and path not in _OPEN_WHILE_DRAINING:
            raise Fault("draining", "This gateway stops; ask again.")

    def _note(self, scope: Scope, status: int, jobs: str) -> None:
        route, took_s = _route(scope), receipt_of(scope).age_s
        if status == LEFT:
            self._metrics.answered(route, scope["method"], status, took_s)
        trace = trace_id_of(Headers(scope=scope).get("traceparent", ""))
        some = {"key": caller_of(scope).key, "job": jobs, "trace": trace}
        write = log.info if route.startswith(("/chat", "/v1/")) or status >= 400 else log.debug
        write(
            "request_ended",
            request=request_id_of(scope),
            **{name: value for name, value in some.items() if value},
            method=scope["method"],
            route=route,
            status=status,
            took_ms=round(took_s * 1_000, 1),
        )


def _jobs(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The ids of the jobs that an answer tells of: by these a worker's log calls them."""
    return next((value.decode() for name, value in headers if name == b"x-job-id"), "")


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "none")
