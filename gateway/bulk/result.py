"""Results: one line for each line of the input, in OpenAI's words. What failed stands in a file of its own."""

from typing import NamedTuple

import msgspec

from gateway.errors import error_object, status_of
from gateway.frames import one_line
from shared.errors import PoolError

from .errand import Answer

_encode = msgspec.json.Encoder().encode


class Result(NamedTuple):
    """A line of the output, or of the errors."""

    line: bytes
    is_error: bool


class LineResponse(msgspec.Struct, frozen=True):
    """What the route answered."""

    status_code: int
    request_id: str
    body: msgspec.Raw


class LineError(msgspec.Struct, frozen=True):
    """Why no route was asked."""

    code: str
    message: str


class ResultLine(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    id: str
    custom_id: str | None
    response: LineResponse | None
    error: LineError | None = None


class Origin(NamedTuple):
    """Whose result it is."""

    tag: str
    number: int
    custom_id: str | None


def answered(origin: Origin, answer: Answer) -> Result:
    """A route's answer, good or bad."""
    response = LineResponse(answer.status, answer.request_id, msgspec.Raw(answer.body))
    return _result(origin, response, None, is_error=answer.status >= 400)


def refused(origin: Origin, error: PoolError) -> Result:
    """A line that is none."""
    body = msgspec.Raw(_encode({"error": error_object(error)}))
    return _result(origin, LineResponse(status_of(error.code), "", body), None, is_error=True)


def unasked(origin: Origin, code: str, message: str) -> Result:
    """A line that nobody came to."""
    return _result(origin, None, LineError(code, message), is_error=True)


def _result(origin: Origin, response: LineResponse | None, error: LineError | None, *, is_error: bool) -> Result:
    name = f"batch_req_{origin.tag}_{origin.number}"
    line = ResultLine(id=name, custom_id=origin.custom_id, response=response, error=error)
    return Result(one_line(_encode(line)) + b"\n", is_error)
