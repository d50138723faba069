"""What an error's code becomes over HTTP: the one table of statuses, the envelopes, and when to come back.

Anthropic's clients are answered in Anthropic's envelope, whoever refuses the request; all others in OpenAI's. A message
for the client never holds a stack trace, a path or an address: faults that are not ours to tell become `internal`, and
the log has the rest.
"""

import math
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shared.errors import Fault, PoolError, Refused, may_retry

from .dialect import is_anthropic
from .request_id import request_id_of

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
MAX_RETRY_AFTER_MS = 120_000
_INVALID = "invalid_request_error"
_SERVER = "server_error"
_API = "api_error"
_OVERLOADED = "overloaded_error"


class Row(NamedTuple):
    """What a code becomes: a status, and the type that OpenAI's clients know, and Anthropic's."""

    status: int
    type: str
    anthropic_type: str


TABLE: Mapping[str, Row] = {
    "invalid_json": Row(400, _INVALID, _INVALID),
    "invalid_value": Row(400, _INVALID, _INVALID),
    "unknown_field": Row(400, _INVALID, _INVALID),
    "missing_field": Row(400, _INVALID, _INVALID),
    "unsupported": Row(400, _INVALID, _INVALID),
    "context_length_exceeded": Row(400, _INVALID, _INVALID),
    "does_not_fit": Row(400, _INVALID, _INVALID),
    "invalid_api_key": Row(401, "authentication_error", "authentication_error"),
    "key_not_allowed": Row(403, "permission_error", "permission_error"),
    "host_not_allowed": Row(403, "permission_error", "permission_error"),
    "model_not_found": Row(404, _INVALID, "not_found_error"),
    "job_not_found": Row(404, _INVALID, "not_found_error"),
    "previous_response_not_found": Row(400, _INVALID, _INVALID),  # so OpenAI says it
    "job_cancelled": Row(410, _INVALID, _INVALID),
    "not_found": Row(404, _INVALID, "not_found_error"),
    "method_not_allowed": Row(405, _INVALID, _INVALID),
    "body_too_large": Row(413, _INVALID, "request_too_large"),
    "wrong_content_type": Row(415, _INVALID, _INVALID),
    "idempotency_mismatch": Row(422, _INVALID, _INVALID),
    "queue_full": Row(429, "rate_limit_error", "rate_limit_error"),
    "rate_limited": Row(429, "rate_limit_error", "rate_limit_error"),
    "too_many_jobs": Row(429, "rate_limit_error", "rate_limit_error"),
    "engine_failed": Row(500, _SERVER, _API),
    "poisoned": Row(500, _SERVER, _API),
    "stream_lost": Row(500, _SERVER, _API),
    "stream_diverged": Row(500, _SERVER, _API),
    "internal": Row(500, _SERVER, _API),
    "no_worker": Row(503, _SERVER, _OVERLOADED),
    "broker_down": Row(503, _SERVER, _OVERLOADED),
    "draining": Row(503, _SERVER, _OVERLOADED),
    "gateway_full": Row(503, _SERVER, _OVERLOADED),
    "deadline_exceeded": Row(504, _SERVER, "timeout_error"),
}
_INTERNAL = TABLE["internal"]
# What is told in place of a message that quotes a library, which may name an address; the log has it.
_TOLD = {"broker_down": "The pool's Redis does not answer: ask again, or resume the stream, in a while."}
# Where the error itself knows no time: how long what is in the way commonly lasts.
_PASSES_AFTER_MS = {"no_worker": 5_000, "broker_down": 1_000, "draining": 1_000}


def status_of(code: str) -> int:
    """The HTTP status of a code; 500 for one that this version does not know."""
    return TABLE.get(code, _INTERNAL).status


def error_object(error: PoolError) -> dict[str, str | None]:
    """The object that stands under `error`, in a body and as a stream's last event alike."""
    return {
        "message": _message(error),
        "type": TABLE.get(error.code, _INTERNAL).type,
        "param": error.param,
        "code": error.code,
    }


def anthropic_object(error: PoolError, request_id: str) -> dict[str, Any]:
    """The whole object in Anthropic's words, in a body and as a stream's last event alike."""
    told = {"type": TABLE.get(error.code, _INTERNAL).anthropic_type, "message": _anthropic_message(error)}
    return {"type": "error", "error": told, "request_id": request_id or None}


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


def error_response(
    error: PoolError, headers: Mapping[str, str] | None = None, *, scope: Scope | None = None
) -> Response:
    """The error as an HTTP answer, in the envelope that the request's client knows; None: nobody could read it."""
    if error.code in _TOLD:
        log.warning("request_failed", code=error.code, message=error.message)
    told = error_headers(error, random.random()) | dict(headers or {})  # noqa: S311 a spread, not a secret
    if scope and is_anthropic(scope):
        request_id = request_id_of(scope)
        envelope = anthropic_object(error, request_id)
        told |= {"request-id": request_id} if request_id else {}
    else:
        envelope = {"error": error_object(error)}
    return Response(msgspec.json.encode(envelope), status_of(error.code), told, media_type="application/json")


async def on_pool_error(request: Request, error: Exception) -> Response:
    """Answer with an error of the pool's own."""
    assert isinstance(error, PoolError)
    return error_response(error, scope=request.scope)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer with what the router found wrong, in the envelope."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        refusal = Refused("method_not_allowed", f"{request.method} is not for this route.")
        return error_response(refusal, error.headers, scope=request.scope)
    refusal = Refused("not_found", "There is no such route: `GET /` lists those that there are.")
    return error_response(refusal, scope=request.scope)


async def on_leaving(_: Request, __: Exception) -> None:
    """Answer nobody: the client left while its body was read."""


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer with nothing of the crash: the log has it."""
    log.error("request_crashed", exc_info=error)
    failure = Fault("internal", "The gateway failed on this request; its log says more.")
    return error_response(failure, scope=request.scope)


def _message(error: PoolError) -> str:
    return _TOLD.get(error.code, error.message)


def _anthropic_message(error: PoolError) -> str:
    # Its envelope has no place for the field's name.
    message = _message(error)
    if error.code == "context_length_exceeded":
        return f"prompt is too long: {message}"  # the words by which agents know that they have to compact
    if error.param and f"`{error.param}" not in message:
        return f"`{error.param}`: {message}"
    return message
