"""The engine's pipe: JSON lines over stdin and stdout, one object a line, as pure data.

This module is the contract between the agent and any engine; it imports no mlx and no redis. Requests are told apart by
`op`, replies by `status`. A line without `op` is one prompt by hand, and its asker is answered in the original
engine's words only: loading, ready, token, done, error. The `id` is opaque and never reused: the agent drops lines of
ids that it no longer maps, so a fenced generation's tokens can't land under the job's next attempt.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.event import Reason, Timings, TokenLogprob, ToolCall, Usage
from shared.job import Ask

Prefix = tuple[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[int, Meta(ge=0)]]


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What earlier attempts generated: go on after these ids, and emit only what is new."""

    tokens: list[int] = []


class Generate(
    Ask, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="op", tag="generate"
):
    """Generate; `seed` is set by the agent for every job, so that each attempt draws alike."""

    id: Annotated[str, Meta(max_length=200)] = ""
    resume: Resume | None = None
    enqueued_at_ms: int | None = None  # what a chat template's clock shows, so that every attempt has the same prompt
    tenant: str = ""  # the prompt cache's namespace
    steps_aside: bool = False  # other prompts are read before its own: bulk work's, or beyond its tenant's share
    # What the prompt begins with, from the shortest to all of it: a name that says nothing here, and how many tokens,
    # as estimated without a tokenizer. `cached` tells by these names what the prompt cache serves.
    prefixes: Annotated[tuple[Prefix, ...], Meta(max_length=64)] = ()


class Cancel(msgspec.Struct, frozen=True, tag_field="op", tag="cancel"):
    """End a generation; it is answered by silence, as the agent has forgotten the id. Unknown ids are ignored."""

    id: str


class Hold(msgspec.Struct, frozen=True, tag_field="op", tag="hold"):
    """Compute nothing for so long, since nobody can be told of it; 0 ends that. Requests and cancels are taken in."""

    for_ms: Annotated[int, Meta(ge=0, le=60_000)]


class Stop(msgspec.Struct, frozen=True, tag_field="op", tag="stop"):
    """End the process, exit code 0, without finishing anything."""


Request = Generate | Cancel | Hold | Stop


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="status"):
    """One line from the engine."""


class Loading(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="loading"):
    """The model is on its way: `progress` from 0 to 1 where it is known."""

    message: str
    progress: float | None = None


class Ready(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="ready"):
    """The engine takes requests: `slots` at once, each with prompt + completion ≤ `context_tokens`."""

    model: str
    slots: int
    context_tokens: int
    fingerprint: str  # of config, weight index, tokenizer and template: what the queue's workers must share
    device: str = ""
    note: str = ""  # the compute path taken, and how to get a faster one


class Started(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="started"):
    """A generation joined the batch's prefill."""

    id: str
    prompt_tokens: int
    prompt_hash: str  # of the prompt's token ids
    cached_tokens: int = 0


class Prefill(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="prefill"):
    """Progress of a prefill, in tokens."""

    id: str
    done: int
    total: int


class Token(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="token"):
    """New ids and the text they released; `content` may be empty while text is held back."""

    id: str = ""
    content: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = []
    warning: str = ""
    tokens: list[int] = []
    logprobs: list[TokenLogprob] = []  # where asked for: of each of `tokens` in order, but one that ends a turn


class Done(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="done"):
    """A generation ended; usage counts resumed tokens too. With kind=count, `completion_tokens` is 0."""

    id: str = ""
    reason: Reason
    usage: Usage
    timings: Timings = Timings()
    stop: str | None = None  # the stop string that ended it, where one did


class Error(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="error"):
    """A generation, or with an empty id a line that could not be read, was refused; the engine goes on."""

    id: str = ""
    code: str
    message: str
    param: str | None = None


class HandedBack(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="handed_back"):
    """A generation was let go for want of memory; whoever goes on after its ids, here or elsewhere, loses nothing."""

    id: str
    alone: bool = False  # it had the engine to itself: there is no room for it here


class Cached(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="cached"):
    """Which of the prefixes that requests came with the prompt cache serves from now on, and which no longer.

    Told when it changes, at most once a step; a new engine serves none.
    """

    stored: list[str] = []
    evicted: list[str] = []


class Stats(Reply, frozen=True, kw_only=True, omit_defaults=True, tag="stats"):
    """Once a second to a peer that speaks `op`, also when idle: the sign that the engine's loop turns."""

    slots: int
    busy: int
    waiting: int = 0  # taken in, but not yet in the batch
    prefill_tokens: int = 0  # prompt tokens still to be computed for what was taken in
    tokens_per_second: float = 0.0
    prefill_tokens_per_second: float = 0.0
    kv_bytes: int = 0
    memory_bytes: int = 0
    memory_limit_bytes: int = 0  # what the engine may have
    pressure: Literal["", "soft", "hard"] = ""  # soft: nobody joins others; hard: rows are handed back
    handed_back: int = 0  # generations since the start
    steps: int = 0  # decode steps since the start
    cache_bytes: int = 0  # held by the prompt cache, beside kv_bytes
    cache_hits: int = 0  # rows since the start that went on from a kept state
    cache_saved_tokens: int = 0  # prompt tokens since the start that needed no prefill
    prompt_tokens: int = 0  # of rows since the start, with those that needed none


AnyReply = Loading | Ready | Started | Prefill | Token | Done | Error | HandedBack | Cached | Stats

_REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_BY_HAND = msgspec.json.Decoder(Generate)
_REPLIES: msgspec.json.Decoder[AnyReply] = msgspec.json.Decoder(AnyReply)
_ENCODER = msgspec.json.Encoder()


class _Op(msgspec.Struct):
    op: str | None = None
    id: str = ""


_OPS = msgspec.json.Decoder(_Op)


def decode_request(line: bytes) -> tuple[Request, bool]:
    """Decode a request line; the second value tells whether it named its `op`, else it was typed by hand.

    Raises:
        msgspec.DecodeError: the line is not JSON, or (its subclass ValidationError) not a request.

    """
    has_op = _OPS.decode(line).op is not None
    return (_REQUESTS.decode(line) if has_op else _BY_HAND.decode(line)), has_op


def id_of(line: bytes) -> str:
    """The id of a request line that could not be decoded, or the empty string."""
    try:
        return _OPS.decode(line).id
    except (msgspec.DecodeError, RecursionError):
        return ""


def decode_reply(line: bytes) -> AnyReply:
    """Decode a reply line."""
    return _REPLIES.decode(line)


def encode_line(value: Request | AnyReply) -> bytes:
    """Encode a request or reply as one line, newline included."""
    return _ENCODER.encode(value) + b"\n"
