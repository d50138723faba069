"""The errors of the pool, in two families by whose fault they are.

    PoolError
    ├── Refused    the caller's: shown to the caller, never retried by us
    └── Fault      ours, or our machines': logged, and retried where `may_retry` says so

An error carries the code that stands on the wire, in HTTP bodies and in `error` events alike. `CODES` is the one list
of them. What HTTP status a code becomes is one table in `gateway.errors`.
"""

from typing import Literal, get_args

RefusedCode = Literal[
    "invalid_json",
    "invalid_value",
    "unknown_field",
    "missing_field",
    "unsupported",
    "context_length_exceeded",
    "does_not_fit",
    "invalid_api_key",
    "key_not_allowed",
    "host_not_allowed",
    "model_not_found",
    "job_not_found",
    "previous_response_not_found",
    "job_cancelled",
    "not_found",
    "method_not_allowed",
    "body_too_large",
    "wrong_content_type",
    "idempotency_mismatch",
    "queue_full",
    "rate_limited",
    "too_many_jobs",
]
FaultCode = Literal[
    "engine_failed",
    "poisoned",
    "no_worker",
    "broker_down",
    "draining",
    "gateway_full",
    "deadline_exceeded",
    "stream_lost",
    "stream_diverged",
    "internal",
]
Code = RefusedCode | FaultCode
REFUSED_CODES: frozenset[str] = frozenset(get_args(RefusedCode))
CODES: frozenset[str] = REFUSED_CODES | frozenset(get_args(FaultCode))

# Asking again later can succeed: nothing was done yet, as far as is known, and what was in the way passes.
_PASSING: frozenset[str] = frozenset(
    {"queue_full", "rate_limited", "too_many_jobs", "no_worker", "broker_down", "draining", "gateway_full"}
)


class PoolError(Exception):
    """An error with a wire code, a sentence for people, and the request's field that it is about, if any."""

    def __init__(self, code: str, message: str, *, param: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_ms = retry_after_ms

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a process border: the default would call the class with the message alone."""
        return (_rebuild, (type(self), self.code, self.message, self.param, self.retry_after_ms))


class Refused(PoolError):
    """The caller asked for what can't be given; asking the same again gives the same answer."""

    def __init__(
        self, code: RefusedCode, message: str, *, param: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(code, message, param=param, retry_after_ms=retry_after_ms)


class Fault(PoolError):
    """Something of ours failed; the request was a good one."""

    def __init__(
        self, code: FaultCode, message: str, *, param: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(code, message, param=param, retry_after_ms=retry_after_ms)


def may_retry(code: str) -> bool:
    """Tell whether a caller may send the same request again: true only where no work was begun."""
    return code in _PASSING


def from_wire(code: str, message: str, *, param: str | None = None) -> PoolError:
    """Rebuild the error that an `error` event or an HTTP body carries, in its family; an unknown code is a fault."""
    family = Refused if code in REFUSED_CODES else Fault
    return _rebuild(family, code, message, param, None)


def _rebuild(
    family: type[PoolError], code: str, message: str, param: str | None, retry_after_ms: int | None
) -> PoolError:
    error = family.__new__(family)
    PoolError.__init__(error, code, message, param=param, retry_after_ms=retry_after_ms)
    return error
