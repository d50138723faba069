"""The words in which a surface describes its calls. Plain data: `kind` is a type that msgspec can read or write."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from shared.errors import Code

Method = Literal["get", "post", "delete"]
JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
PLAIN = "text/plain"
BYTES = "application/octet-stream"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a request says outside of its body; of a path it is always needed, elsewhere never."""

    name: str
    place: Literal["query", "header", "path"]
    kind: Any
    note: str


class Sse(msgspec.Struct, frozen=True, kw_only=True):
    """What server-sent events have besides data."""

    has_name: bool = False
    has_id: bool = False
    last: str = ""  # data that is no JSON, behind which nothing comes


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A body: a value of any of these kinds, or text or bytes; of a stream, each line or event is such a value."""

    media: str = JSON
    kinds: Sequence[Any] = ()
    sse: Sse | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What a request carries. The notes are on fields, and so are those that have no effect and those refused."""

    kind: Any
    media: str = JSON
    notes: Mapping[str, str] = {}
    hints: Mapping[str, str] = {}
    refused: Mapping[str, str] = {}
    null_is_absent: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no refusal; `headers` are names of `headers.HEADERS`."""

    status: int = 200
    note: str
    contents: Sequence[Content] = ()
    headers: Sequence[str] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A call: a method of a route. `codes` are the errors that it may be refused with, besides those of every route."""

    method: Method
    path: str
    name: str
    summary: str
    note: str = ""
    parameters: Sequence[Parameter] = ()
    body: Body | None = None
    answers: Sequence[Answer]
    codes: Sequence[Code] = ()
    is_open: bool = False  # needs no key


class Surface(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one API, and the envelope in which it tells of errors."""

    name: str
    note: str
    envelope: Any
    operations: Sequence[Operation]
    headers: Sequence[str] = ()  # of each of its answers
    also: Sequence[Any] = ()  # structs that others refer to by their bare names
