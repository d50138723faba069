"""Whole answers: what `stream: false` gives, of all choices together."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from gateway.gathered import Gathered
from gateway.raw import RawLogprob
from shared.event import Reason

from .calls import Call, call_of
from .ending import done_of
from .envelope import Envelope
from .text_logprobs import TextLogprobs, entries_of, text_logprobs
from .usage import CompletionUsage, usage_of


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said; `content` is null where it only called."""

    role: str = "assistant"
    content: str | None
    refusal: None = None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[Call] | UnsetType = UNSET


class ChatLogprobs(msgspec.Struct, frozen=True):
    """How likely each token was: entries as the engine told them."""

    content: list[RawLogprob]
    refusal: None = None


class ChatChoice(msgspec.Struct, frozen=True):
    """An answer."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: Reason


class TextChoice(msgspec.Struct, frozen=True):
    """An answer."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Reason


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="chat.completion"):
    """All answers to a conversation."""

    id: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: CompletionUsage
    warnings: list[str] | UnsetType = UNSET


class TextCompletion(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="text_completion"):
    """All answers to a request's prompts, prompt by prompt."""

    id: str
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage
    warnings: list[str] | UnsetType = UNSET


def chat_completion(envelope: Envelope, gathered: Sequence[Gathered], *, has_logprobs: bool) -> ChatCompletion:
    """The jobs' answers as one object.

    Raises:
        PoolError: one of them was cancelled, or has no end.

    """
    ends = [done_of(one.end) for one in gathered]
    choices = [
        ChatChoice(index, _message(one), ChatLogprobs(one.logprobs) if has_logprobs else None, end.reason)
        for index, (one, end) in enumerate(zip(gathered, ends, strict=True))
    ]
    return ChatCompletion(
        id=envelope.id,
        created=envelope.created,
        model=envelope.model,
        choices=choices,
        usage=usage_of([end.usage for end in ends], answers=len(ends)),
        warnings=_warnings(gathered),
    )


def text_completion(
    envelope: Envelope, gathered: Sequence[Gathered], *, echoes: Sequence[str], answers: int, logprobs: int | None
) -> TextCompletion:
    """The jobs' answers as one object, each behind its echo; `answers` of them for each prompt.

    Raises:
        PoolError: one of them was cancelled, or has no end.

    """
    ends = [done_of(one.end) for one in gathered]
    choices = [
        TextChoice(index, echo + one.content, _logprobs(one, logprobs), end.reason)
        for index, (one, end, echo) in enumerate(zip(gathered, ends, echoes, strict=True))
    ]
    return TextCompletion(
        id=envelope.id,
        created=envelope.created,
        model=envelope.model,
        choices=choices,
        usage=usage_of([end.usage for end in ends], answers=answers),
        warnings=_warnings(gathered),
    )


def _message(gathered: Gathered) -> ChatMessage:
    calls = [call_of(call) for call in gathered.tool_calls]
    return ChatMessage(
        content=gathered.content or (None if calls else ""),
        reasoning_content=gathered.reasoning or UNSET,
        tool_calls=calls or UNSET,
    )


def _logprobs(gathered: Gathered, wanted: int | None) -> TextLogprobs | None:
    if wanted is None:
        return None
    entries = [entry for raw in gathered.logprobs for entry in entries_of(b"[%b]" % raw)]
    return text_logprobs(entries, 0, has_top=bool(wanted))


def _warnings(gathered: Sequence[Gathered]) -> list[str] | UnsetType:
    return [warning for one in gathered for warning in one.warnings] or UNSET
