"""The table of errors as the design has it, and an answer held against its row."""

from collections.abc import Mapping
from typing import NamedTuple

import httpx

from .apis import Api

INVALID, SERVER = "invalid_request_error", "server_error"


class Row(NamedTuple):
    """What an error is told as."""

    status: int
    type: str
    anthropic_type: str
    may_retry: bool = False


_BAD = Row(400, INVALID, INVALID)
_NOT_FOUND = Row(404, INVALID, "not_found_error")
_DENIED = Row(403, "permission_error", "permission_error")
_TOO_MUCH = Row(429, "rate_limit_error", "rate_limit_error", may_retry=True)
_FAILED = Row(500, SERVER, "api_error")
_AWAY = Row(503, SERVER, "overloaded_error", may_retry=True)

ROWS: Mapping[str, Row] = {
    **dict.fromkeys(("invalid_json", "invalid_value", "unknown_field", "missing_field", "unsupported"), _BAD),
    **dict.fromkeys(("context_length_exceeded", "does_not_fit", "previous_response_not_found"), _BAD),
    "invalid_api_key": Row(401, "authentication_error", "authentication_error"),
    **dict.fromkeys(("key_not_allowed", "host_not_allowed"), _DENIED),
    **dict.fromkeys(("model_not_found", "job_not_found", "not_found"), _NOT_FOUND),
    "method_not_allowed": Row(405, INVALID, INVALID),
    "job_cancelled": Row(410, INVALID, INVALID),
    "body_too_large": Row(413, INVALID, "request_too_large"),
    "wrong_content_type": Row(415, INVALID, INVALID),
    "idempotency_mismatch": Row(422, INVALID, INVALID),
    **dict.fromkeys(("queue_full", "rate_limited", "too_many_jobs"), _TOO_MUCH),
    **dict.fromkeys(("engine_failed", "poisoned", "stream_lost", "stream_diverged", "internal"), _FAILED),
    **dict.fromkeys(("no_worker", "broker_down", "draining", "gateway_full"), _AWAY),
    "deadline_exceeded": Row(504, SERVER, "timeout_error"),
}


def check(api: Api, answer: httpx.Response, code: str, param: str | None = None) -> None:
    """See that an answer is this error, whole: status, envelope, headers, and the field's name where one is due."""
    row = ROWS[code]
    status, told = api.refusal(answer)
    assert status == row.status, answer.text
    if api.is_anthropic:
        assert told.type == row.anthropic_type, answer.text
        # Its agents know by these words that they have to compact.
        named = "prompt is too long: " if code == "context_length_exceeded" else f"`{param}"
        assert param is None or named in told.message, told.message
    else:
        assert (told.type, told.code, told.param) == (row.type, code, param), answer.text
    check_headers(row, answer)
    check_words(told.message)


def check_headers(row: Row, answer: httpx.Response) -> None:
    """See that clients are told whether to ask again, and when: those that retry by themselves obey."""
    headers = answer.headers
    assert ("retry-after" in headers, "retry-after-ms" in headers) == (row.may_retry, row.may_retry)
    if row.may_retry:
        assert 1 <= int(headers["retry-after"]) <= 120
        assert 0 < int(headers["retry-after-ms"]) <= int(headers["retry-after"]) * 1_000
    is_never_again = row.status >= 500 and not row.may_retry
    assert headers.get("x-should-retry") == ("false" if is_never_again else None)
    assert ("www-authenticate" in headers) is (row.status == 401)
    assert ("allow" in headers) is (row.status == 405)


def check_words(message: str) -> None:
    """See that a message is a sentence for people, and nothing of the gateway's inside."""
    assert message
    assert not any(inside in message for inside in ("Traceback", 'File "', "127.0.0.1", "redis://", ".py", "\n")), (
        message
    )
