"""What an error's code becomes over HTTP: the one table of statuses, the envelope, and when to come back.

A message for the client never holds a stack trace, a path or an address: faults that are not ours to tell become
`internal`, and the log has the rest.
"""

import math
import random
from collections.abc import Mapping

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import Fault, PoolError, Refused, may_retry

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
MAX_RETRY_AFTER_MS = 120_000
_INVALID = "invalid_request_error"
_SERVER = "server_error"
TABLE: Mapping[str, tuple[int, str]] = {
    "invalid_json": (400, _INVALID),
    "invalid_value": (400, _INVALID),
    "unknown_field": (400, _INVALID),
    "missing_field": (400, _INVALID),
    "unsupported": (400, _INVALID),
    "context_length_exceeded": (400, _INVALID),
    "does_not_fit": (400, _INVALID),
    "invalid_api_key": (401, "authentication_error"),
    "key_not_allowed": (403, "permission_error"),
    "model_not_found": (404, _INVALID),
    "job_not_found": (404, _INVALID),
    "not_found": (404, _INVALID),
    "method_not_allowed": (405, _INVALID),
    "body_too_large": (413, _INVALID),
    "wrong_content_type": (415, _INVALID),
    "idempotency_mismatch": (422, _INVALID),
    "queue_full": (429, "rate_limit_error"),
    "rate_limited": (429, "rate_limit_error"),
    "too_many_jobs": (429, "rate_limit_error"),
    "engine_failed": (500, _SERVER),
    "poisoned": (500, _SERVER),
    "stream_lost": (500, _SERVER),
    "stream_diverged": (500, _SERVER),
    "internal": (500, _SERVER),
    "no_worker": (503, _SERVER),
    "broker_down": (503, _SERVER),
    "draining": (503, _SERVER),
    "deadline_exceeded": (504, _SERVER),
}
_INTERNAL = TABLE["internal"]
# Where the error itself knows no time: how long what is in the way commonly lasts.
_PASSES_AFTER_MS = {"no_worker": 5_000, "broker_down": 1_000, "draining": 1_000}


def status_of(code: str) -> int:
    """The HTTP status of a code; 500 for one that this version does not know."""
    return TABLE.get(code, _INTERNAL)[0]


def error_object(error: PoolError) -> dict[str, str | None]:
    """The object that stands under `error`, in a body and as a stream's last event alike."""
    return {
        "message": error.message,
        "type": TABLE.get(error.code, _INTERNAL)[1],
        "param": error.param,
        "code": error.code,
    }


def retry_after_ms(error: PoolError, draw: float) -> int | None:
    """When to ask again, spread by `draw` (0..1) so that refused clients do not return together; None: don't."""
    if not may_retry(error.code):
        return None
    least = error.retry_after_ms or _PASSES_AFTER_MS.get(error.code, 1_000)
    return min(MAX_RETRY_AFTER_MS, round(least * (1 + draw / 2)))


def error_headers(error: PoolError, draw: float) -> dict[str, str]:
    """The headers that SDKs obey: when to retry, or that retrying would run the work twice."""
    if after_ms := retry_after_ms(error, draw):
        return {"retry-after": str(math.ceil(after_ms / 1_000)), "retry-after-ms": str(after_ms)}
    headers = {"www-authenticate": "Bearer"} if error.code == "invalid_api_key" else {}
    return headers | ({"x-should-retry": "false"} if isinstance(error, Fault) else {})


def error_response(error: PoolError, headers: Mapping[str, str] | None = None) -> Response:
    """The error as an HTTP answer."""
    body = msgspec.json.encode({"error": error_object(error)})
    told = error_headers(error, random.random()) | dict(headers or {})  # noqa: S311 a spread, not a secret
    return Response(body, status_of(error.code), told, media_type="application/json")


async def on_pool_error(_: Request, error: Exception) -> Response:
    """Answer with an error of the pool's own."""
    assert isinstance(error, PoolError)
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer with what the router found wrong, in the envelope."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        refusal = Refused("method_not_allowed", f"{request.method} is not for this route.")
        return error_response(refusal, error.headers)
    return error_response(Refused("not_found", "There is no such route."))


async def on_crash(_: Request, error: Exception) -> Response:
    """Answer with nothing of the crash: the log has it."""
    log.error("request_crashed", exc_info=error)
    return error_response(Fault("internal", "The gateway failed on this request; its log says more."))
