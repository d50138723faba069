"""The answers that refuse: their statuses and headers come from the one table of errors."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import TABLE, error_headers
from shared.errors import Code, from_wire

from .headers import headers_of
from .operation import JSON

Object = dict[str, Any]

# What any route may say: of a key, of the Host header, of a request that is none, of a gateway or a Redis that fails.
EVERYWHERE: Sequence[Code] = (
    "invalid_value",
    "host_not_allowed",
    "internal",
    "broker_down",
    "draining",
    "gateway_full",
)
WITH_A_KEY: Sequence[Code] = ("invalid_api_key", *EVERYWHERE)
# What a body in JSON may be refused for, before anything is done.
BODY: Sequence[Code] = (
    *("invalid_json", "unknown_field", "missing_field", "unsupported"),
    *("wrong_content_type", "body_too_large"),
)
# What asking for work may come to.
WORK: Sequence[Code] = (
    *("context_length_exceeded", "does_not_fit", "key_not_allowed", "model_not_found"),
    *("idempotency_mismatch", "queue_full", "rate_limited", "too_many_jobs"),
    *("engine_failed", "poisoned", "stream_lost", "stream_diverged", "no_worker", "deadline_exceeded"),
)


def error_answers(codes: Sequence[Code], envelope: Object, headers: Sequence[str]) -> Object:
    """The answers to these errors, by status; `headers` are those that every answer here has."""
    return {str(status): _answer(told, envelope, headers) for status, told in sorted(_by_status(codes).items())}


def _by_status(codes: Sequence[Code]) -> Mapping[int, list[Code]]:
    by_status: defaultdict[int, list[Code]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[TABLE[code].status].append(code)
    return by_status


def _answer(codes: Sequence[Code], envelope: Object, headers: Sequence[str]) -> Object:
    own = dict.fromkeys(name for code in codes for name in error_headers(from_wire(code, ""), 0))
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "headers": headers_of([*headers, *own]),
        "content": {JSON: {"schema": envelope}},
    }
