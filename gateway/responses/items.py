"""What an answer is made of: thoughts, messages, calls. Their text stays the JSON that it came as."""

from typing import Literal

import msgspec

from gateway.raw import RawLogprob, RawText

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    """What the model said."""

    text: RawText
    annotations: list[None] = []
    logprobs: list[RawLogprob] = []


class ReasoningText(msgspec.Struct, frozen=True, tag_field="type", tag="reasoning_text"):
    """What the model thought."""

    text: RawText


class OutputMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """Something said to the user."""

    id: str
    status: ItemStatus
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning"):
    """Something thought; it is told as it was, so there is nothing to sum up."""

    id: str
    status: ItemStatus
    summary: list[None] = []
    content: list[ReasoningText]


class FunctionCall(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    """A call, which always comes whole."""

    id: str
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


OutputItem = OutputMessage | ReasoningItem | FunctionCall
