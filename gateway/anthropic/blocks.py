"""What a turn of a conversation is made of. There is text only: any other block is refused by its type."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shared.tools import MAX_ID_CHARACTERS, MAX_NAME_CHARACTERS

CallId = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]


class CacheControl(msgspec.Struct, frozen=True, tag_field="type", tag="ephemeral"):
    """A mark: requests to come begin with everything up to the end of this block."""


class TextBlock(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Text."""

    text: str
    cache_control: CacheControl | None = None


class ToolUseBlock(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A call that the assistant made."""

    id: CallId
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class ToolResultBlock(msgspec.Struct, frozen=True, tag_field="type", tag="tool_result"):
    """What a call gave."""

    tool_use_id: CallId
    content: str | list[TextBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(msgspec.Struct, frozen=True, tag_field="type", tag="thinking"):
    """What the assistant thought in an earlier turn: the model is not told of it again."""

    thinking: str = ""
    signature: str = ""


class RedactedThinkingBlock(msgspec.Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    """Thoughts that only their maker can read."""

    data: str = ""


Block = TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock
