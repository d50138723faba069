"""What stands on streams and channels, as structs: every field of an entry is text, and some of it holds JSON."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.job import JOB_ID, MAX_BODY_BYTES

JSON = "application/json"


def _holding(schema: dict[str, Any]) -> Meta:
    return Meta(extra_json_schema={"contentMediaType": JSON, "contentSchema": schema})


# An event as it is logged: by then it has its number.
_LOGGED: dict[str, Any] = {
    "allOf": [{"$ref": "LoggedEvent"}, {"required": ["seq"], "properties": {"seq": {"minimum": 1}}}]
}
_Id = Annotated[str, Meta(pattern=f"^{JOB_ID.pattern}$")]
_Reply = Annotated[str, Meta(pattern=r"^pool:\{.+\}:reply:.+$")]
_Trace = Annotated[str, Meta(pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
_Timeout = Annotated[str, Meta(pattern="^[0-9]{1,7}$")]
_Event = Annotated[str, _holding(_LOGGED)]


class JobEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A job on its way in. `timeout_ms` goes before the body's own; `reply` names a stream of this queue."""

    body: Annotated[str, _holding({"$ref": "Job"}), Meta(max_length=MAX_BODY_BYTES)]
    id: _Id | UnsetType = UNSET
    timeout_ms: _Timeout | UnsetType = UNSET
    reply: _Reply | UnsetType = UNSET
    tenant: str | UnsetType = UNSET
    trace: _Trace | UnsetType = UNSET
    outline: Annotated[str, Meta(max_length=1_024)] | UnsetType = UNSET
    v: Literal["1"] | UnsetType = UNSET


class LogEntry(msgspec.Struct, frozen=True):
    """An event of a job; the entry's id is `<seq>-<attempt>`."""

    e: _Event


class CancelEntry(msgspec.Struct, frozen=True):
    """The job that is to end."""

    id: _Id


class ReplyEntry(msgspec.Struct, frozen=True):
    """A job's last event."""

    id: _Id
    e: _Event


class DeadLetterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A job that nobody can run, with its own fields; `at` is in ms, `on` names the hosts that tried, with blanks."""

    why: str
    at: str
    on: str
    id: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    tenant: str | UnsetType = UNSET


Batch = Annotated[str, Meta(pattern=r"^[0-9]+ [^ \n]+ [0-9]+(\n\{[^\n]*\})+$")]
