"""What clients of the pool's own API are told, as structs, from which `/openapi.json` is drawn.

The bytes of a stream are written elsewhere, quicker than any struct; a test holds them to these.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.event import Reason, Timings, TokenLogprob, ToolCall, Usage


class ErrorObject(msgspec.Struct, frozen=True):
    """An error: `code` says which, `param` names the field that it is about."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The envelope of every error."""

    error: ErrorObject


class Counts(Usage, frozen=True, omit_defaults=False):
    """Token counts as the engine has them. `cached_tokens` are those of the prompt that needed no prefill."""


class Times(Timings, frozen=True, omit_defaults=False):
    """Where the time went, in ms."""


class _Numbered(msgspec.Struct, frozen=True, kw_only=True, tag_field="status"):
    seq: int


class ChatQueued(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="queued"):
    """News of the queue, for who asked for it: so many jobs are served before this one.

    `loading`: no worker has the model ready, and one has loaded so much of it.
    """

    waiting: int
    expected_wait_ms: int | UnsetType = UNSET
    loading: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class ChatStarted(_Numbered, frozen=True, kw_only=True, tag="started"):
    """A worker began, or goes on where another one stopped."""

    id: str
    model: str
    worker: str
    attempt: int


class ChatToken(_Numbered, frozen=True, kw_only=True, tag="token"):
    """More of the answer."""

    content: str
    reasoning: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    warning: str | UnsetType = UNSET
    logprobs: list[TokenLogprob] | UnsetType = UNSET


class ChatDone(_Numbered, frozen=True, kw_only=True, tag="done"):
    """The end, as asked."""

    reason: Reason
    usage: Counts
    timings: Times


class ChatCancelled(_Numbered, frozen=True, kw_only=True, tag="cancelled"):
    """The end, by a cancel."""

    reason: str


class ChatError(msgspec.Struct, frozen=True, kw_only=True, tag_field="status", tag="error"):
    """The end, in an error; one that the gateway itself met has no `seq`."""

    seq: int | UnsetType = UNSET
    error: ErrorObject


ChatEvent = ChatQueued | ChatStarted | ChatToken | ChatDone | ChatCancelled | ChatError


class WholeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A job's whole answer; of one that was cancelled, as far as it came."""

    id: str
    model: str
    content: str
    reasoning: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    logprobs: list[TokenLogprob] | UnsetType = UNSET
    reason: Literal["stop", "length", "tool_calls", "cancelled"] | None
    usage: Counts | None
    timings: Times | None


class Accepted(msgspec.Struct, frozen=True):
    """A job that runs in the background."""

    id: str


class Cancelling(msgspec.Struct, frozen=True):
    """What became of a cancel: the job waited, its worker is told to stop, or it had ended."""

    id: str
    status: Literal["cancelled", "cancelling", "ended"]


class Alive(msgspec.Struct, frozen=True, tag_field="status", tag="ok"):
    """This process answers."""
