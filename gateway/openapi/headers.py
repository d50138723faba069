"""The headers that answers have, in the document's words; and how to say that an answer has some."""

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]
_PLACE = "#/components/headers/"
_TEXT: Object = {"type": "string"}
_COUNT: Object = {"type": "integer", "minimum": 0}
RATE_LIMITS = tuple(
    f"x-ratelimit-{name}-{what}" for what in ("requests", "tokens") for name in ("limit", "remaining", "reset")
)

HEADERS: Mapping[str, Object] = {
    "x-request-id": {
        "description": "The request's id: its own where it has a decent one, else one that was made. Logs have it too.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "request-id": {"description": "The same, as Anthropic's clients look for it.", "schema": _TEXT},
    "x-job-id": {
        "description": "The id of the job, for `/chat/{id}`; of several answers the ids of all jobs.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}(, [A-Za-z0-9_-]{1,64})*$"},
    },
    "x-mlx-pool-ignored": {"description": "The fields that had no effect.", "schema": _TEXT},
    "location": {
        "description": "Where the result can be fetched.",
        "schema": _TEXT,
    },
    "retry-after": {"description": "In how many seconds to ask again.", "schema": _COUNT},
    "retry-after-ms": {"description": "The same in milliseconds.", "schema": _COUNT},
    "x-should-retry": {
        "description": "`false` where asking again would run the work twice: OpenAI's and Anthropic's clients obey.",
        "schema": {"type": "string", "enum": ["false"]},
    },
    "www-authenticate": {"description": "How a key is shown.", "schema": _TEXT},
    **{
        name: {
            "description": "How the key stands, where it has such a limit.",
            "schema": {"type": "string", "pattern": r"^([0-9]+m)?[0-9.]+m?s$"} if "-reset-" in name else _COUNT,
        }
        for name in RATE_LIMITS
    },
}


def headers_of(names: Iterable[str]) -> Object:
    """That an answer may have these headers."""
    return {name: {"$ref": f"{_PLACE}{name}"} for name in names}
