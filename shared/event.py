"""Events: what happens to a job, numbered by `seq` from 1 without holes, across all its attempts.

JSON objects told apart by `status`, the same words on the engine's pipe, in the event log, on the channel and at the
client. Readers skip events and fields that they do not know. Plain data.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Reason = Literal["stop", "length", "tool_calls"]
MAX_EVENTS_PER_APPEND = 256


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Token counts as the engine has them. `cached_tokens` are those of the prompt that needed no prefill."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Timings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the time went, in ms, as the last attempt's worker measured it."""

    queued_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="status"):
    """One thing that happened to a job."""

    seq: Annotated[int, Meta(ge=0)] = 0


class Queued(Event, frozen=True, kw_only=True, omit_defaults=True, tag="queued"):
    """How many jobs are served before it, and how long that takes: a gateway says it when asked; never logged.

    `loading` is how far the model is loaded, 0 … 1, while no worker has it ready and one loads it.
    """

    waiting: int
    expected_wait_ms: int | None = None
    loading: float | None = None


class Started(Event, frozen=True, kw_only=True, omit_defaults=True, tag="started"):
    """An attempt began. `resumed_tokens` are the ids that earlier attempts logged and this one goes on after."""

    worker: str
    attempt: int
    seed: int
    prompt_tokens: int
    prompt_hash: str
    cached_tokens: int = 0
    resumed_tokens: int = 0


class ToolCall(msgspec.Struct, frozen=True):
    """A whole call, `index`-th of its job from 0. Every attempt gives it the same `id`."""

    index: int
    id: str
    name: str
    arguments: str  # a JSON object, as text


class TopLogprob(msgspec.Struct, frozen=True):
    """An id as it is told, and how likely the model held it: the natural logarithm, finite."""

    token: str  # its bytes as text; where they are none by themselves, with U+FFFD
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob, frozen=True):
    """A generated id, and the likeliest ids at its place, likeliest first: an entry of OpenAI's `logprobs.content`."""

    top_logprobs: list[TopLogprob]


class Token(Event, frozen=True, kw_only=True, omit_defaults=True, tag="token"):
    """Text, and the ids it stands for: each id stands in exactly one event, also while its text is held back."""

    content: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = []
    warning: str = ""  # what a person should know of this text; it is no error
    tokens: list[int] = []
    logprobs: list[TokenLogprob] = []  # where asked for: of each of `tokens` in order, but one that ends a turn


class Done(Event, frozen=True, kw_only=True, omit_defaults=True, tag="done"):
    """The job ended as asked."""

    reason: Reason
    usage: Usage
    timings: Timings = Timings()
    stop: str | None = None  # the stop string that ended it, where one did


class Error(Event, frozen=True, kw_only=True, omit_defaults=True, tag="error"):
    """The job ended in an error; `code` is one of `shared.errors.CODES`."""

    code: str
    message: str
    param: str | None = None


class Cancelled(Event, frozen=True, kw_only=True, omit_defaults=True, tag="cancelled"):
    """The job was cancelled: by a client, or because nobody listened any more."""

    reason: str = "cancelled"
    usage: Usage | None = None


AnyEvent = Queued | Started | Token | Done | Error | Cancelled
TERMINAL = (Done, Error, Cancelled)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class _LaterDone(msgspec.Struct, frozen=True, tag_field="status", tag="done"):
    """`done` for a reason that this version does not know."""

    seq: int
    reason: str
    usage: Usage
    timings: Timings = Timings()
    stop: str | None = None


_LATER_DECODER = msgspec.json.Decoder(_LaterDone)


def encode_event(event: AnyEvent) -> bytes:
    """Encode an event as one line of JSON, without the newline."""
    return _ENCODER.encode(event)


def decode_event(data: bytes) -> AnyEvent | None:
    """Decode a logged event; None for a status that this version does not know.

    A job that is `done` for a reason that only a later version knows is done all the same: it reads as `stop`.
    """
    try:
        return _DECODER.decode(data)
    except msgspec.ValidationError:
        return _later_done(data)


def _later_done(data: bytes) -> Done | None:
    try:
        told = _LATER_DECODER.decode(data)
    except msgspec.ValidationError:
        return None
    return Done(seq=told.seq, reason="stop", usage=told.usage, timings=told.timings, stop=told.stop)


def is_terminal(event: AnyEvent) -> bool:
    """Tell whether the event ends its job."""
    return isinstance(event, TERMINAL)
