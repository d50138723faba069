"""Whether a line is asked for again, and when: a plain function of what was answered."""

import msgspec

from .errand import Answer

MOST_S = 10.0  # a batch has time, but what was in the way may have gone
LEAST_S = 0.2
RETRIES_OF_LOST = 3
_PASSING = (429, 503)
_LOST = ("stream_lost", "stream_diverged")  # Redis lost the job's log, and nobody has been told anything of it


class _Problem(msgspec.Struct, frozen=True):
    code: str | None = None


class _Failure(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


def patience_s(answer: Answer, tries: int) -> float | None:
    """How long to wait before it is asked again, after so many tries; None: the answer stands."""
    if answer.status in _PASSING:
        told = answer.headers.get("retry-after-ms", "")
        wait_s = int(told) / 1_000 if told.isdigit() else LEAST_S
        return min(MOST_S, max(LEAST_S, wait_s))
    if answer.status >= 500 and tries <= RETRIES_OF_LOST and _code_in(answer.body) in _LOST:
        return LEAST_S
    return None


def _code_in(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Failure).error.code
    except msgspec.DecodeError:
        return None
