"""What clients of this API are told, as structs, from which `/openapi.json` is drawn.

The bytes are written elsewhere, those of a stream quicker than any struct (`events`, `whole`); a test holds them to
these.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]


class ErrorObject(msgspec.Struct, frozen=True):
    """An error."""

    type: str
    message: str


class ErrorAnswer(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """The envelope of every error, and the last event of a stream that failed."""

    error: ErrorObject
    request_id: str | None


class MessageUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's token counts; those of the prompt are the first three together."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


class SaidText(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """What the model said."""

    text: str


class Thought(msgspec.Struct, frozen=True, tag_field="type", tag="thinking"):
    """What the model thought; the signature signs nothing."""

    thinking: str
    signature: str


class ToolUse(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A call."""

    id: str
    name: str
    input: dict[str, Any]


ToldBlock = SaidText | Thought | ToolUse


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """An answer."""

    id: str
    role: Literal["assistant"]
    model: str
    content: list[ToldBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: MessageUsage
    warnings: list[str] | UnsetType = UNSET


class TokenCount(msgspec.Struct, frozen=True):
    """How many tokens a conversation has as a prompt."""

    input_tokens: int


class MessageStart(msgspec.Struct, frozen=True, tag_field="type", tag="message_start"):
    """The message begins, with nothing in it."""

    message: Message


class ContentBlockStart(msgspec.Struct, frozen=True, tag_field="type", tag="content_block_start"):
    """A block begins, with nothing in it."""

    index: int
    content_block: ToldBlock


class TextDelta(msgspec.Struct, frozen=True, tag_field="type", tag="text_delta"):
    """More text."""

    text: str


class ThinkingDelta(msgspec.Struct, frozen=True, tag_field="type", tag="thinking_delta"):
    """More thoughts."""

    thinking: str


class SignatureDelta(msgspec.Struct, frozen=True, tag_field="type", tag="signature_delta"):
    """What stands under thoughts."""

    signature: str


class InputJsonDelta(msgspec.Struct, frozen=True, tag_field="type", tag="input_json_delta"):
    """A call's input, whole: the text of a JSON object."""

    partial_json: str


class ContentBlockDelta(msgspec.Struct, frozen=True, tag_field="type", tag="content_block_delta"):
    """More of the block that is open."""

    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputJsonDelta


class ContentBlockStop(msgspec.Struct, frozen=True, tag_field="type", tag="content_block_stop"):
    """The block ends."""

    index: int


class Ending(msgspec.Struct, frozen=True):
    """Why the message ended."""

    stop_reason: StopReason
    stop_sequence: str | None


class MessageDelta(msgspec.Struct, frozen=True, tag_field="type", tag="message_delta"):
    """How the message ended, and what it cost."""

    delta: Ending
    usage: MessageUsage


class MessageStop(msgspec.Struct, frozen=True, tag_field="type", tag="message_stop"):
    """Nothing comes behind it."""


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """A sign of life; some have a sentence for people with them."""

    warning: str | UnsetType = UNSET


MessageEvent = (
    MessageStart
    | ContentBlockStart
    | ContentBlockDelta
    | ContentBlockStop
    | MessageDelta
    | MessageStop
    | Ping
    | ErrorAnswer
)
