"""The chunks of streams as structs, from which `/openapi.json` is drawn.

Their bytes are written elsewhere, quicker than any struct (`chat_chunks`, `text_chunks`); a test holds them to these.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from shared.event import Reason

from .calls import CallDelta
from .text_logprobs import TextLogprobs
from .usage import CompletionUsage
from .whole import ChatLogprobs


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of a message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[CallDelta] | UnsetType = UNSET


class ChatChunkChoice(msgspec.Struct, frozen=True):
    """What is new of a choice."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: Reason | None


class TextChunkChoice(msgspec.Struct, frozen=True):
    """What is new of a choice."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Reason | None


class _Chunk(msgspec.Struct, frozen=True, kw_only=True, tag_field="object"):
    id: str
    created: int
    model: str
    usage: CompletionUsage | UnsetType | None = UNSET
    warning: str | UnsetType = UNSET


class ChatChunk(_Chunk, frozen=True, kw_only=True, tag="chat.completion.chunk"):
    """A piece of a chat's stream; of the last one, with `stream_options.include_usage`, the counts and no choice."""

    choices: list[ChatChunkChoice]


class TextChunk(_Chunk, frozen=True, kw_only=True, tag="text_completion"):
    """A piece of a completion's stream; of the last one, with `stream_options.include_usage`, counts and no choice."""

    choices: list[TextChunkChoice]
