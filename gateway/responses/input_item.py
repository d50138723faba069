"""What a conversation is made of: an item of `input`, whatever its type. What it holds stands under its type."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.chat_request import CallId, Part
from shared.tools import MAX_NAME_CHARACTERS


class InputPart(Part, frozen=True, omit_defaults=True):
    """A piece of a message; one that the model said comes back with what the answer told besides its text."""

    annotations: Any = None
    logprobs: Any = None


class InputItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message, a call, what a call gave, or a thought; without a type it is a message."""

    type: str = "message"
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[InputPart] | None = None
    call_id: CallId | None = None
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)] | None = None
    arguments: str | None = None
    output: str | list[InputPart] | None = None
    status: str | None = None
    phase: str | None = None
    summary: Any = None
    encrypted_content: str | None = None
