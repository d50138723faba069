"""Parameters that calls of several surfaces have, and the shapes of some."""

from typing import Annotated, Any

from msgspec import Meta

from .operation import Parameter

Text = Annotated[str, Meta(min_length=1)]

QUEUED = Parameter(
    name="queued",
    place="query",
    kind=bool,
    note="A stream tells how the job waits: `queued` events, in other APIs' streams comments or pings.",
)
KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    kind=Annotated[str, Meta(max_length=256)],
    note="The same key runs once: who asks again is attached to the answer.",
)
REQUEST_ID = Parameter(
    name="x-request-id",
    place="header",
    kind=str,
    note="A name for the request, in logs and in the answer: at most 128 of `A-Z a-z 0-9 . _ -`, else it is replaced.",
)
TRACE = Parameter(
    name="traceparent",
    place="header",
    kind=str,
    note="The W3C trace context that the job goes on with; anything else is let be.",
)
OF_WORK = (KEY, REQUEST_ID, TRACE)  # what every call has that asks for work


def in_path(name: str, note: str) -> Parameter:
    """A part of the path."""
    return Parameter(name=name, place="path", kind=Text, note=note)


def in_query(name: str, kind: Any, note: str) -> Parameter:
    """A parameter behind the question mark."""
    return Parameter(name=name, place="query", kind=kind, note=note)
