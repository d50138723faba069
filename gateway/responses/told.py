"""The events of a response's stream as structs, from which `/openapi.json` is drawn.

Their bytes are written elsewhere, quicker than any struct (`events`); a test holds them to these.
"""

from typing import Literal

import msgspec

from gateway.raw import RawLogprob
from gateway.told import ErrorObject

from .items import OutputItem, OutputText, ReasoningText
from .response import Response


class Numbered(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Every event has its number, from 0 without a hole."""

    sequence_number: int


class _Life(Numbered, frozen=True, kw_only=True):
    response: Response


class Created(_Life, frozen=True, kw_only=True, tag="response.created"):
    """There is a response."""


class Queued(_Life, frozen=True, kw_only=True, tag="response.queued"):
    """It waits, in the background."""


class InProgress(_Life, frozen=True, kw_only=True, tag="response.in_progress"):
    """A worker has begun."""


class Completed(_Life, frozen=True, kw_only=True, tag="response.completed"):
    """The end: it is whole."""


class Incomplete(_Life, frozen=True, kw_only=True, tag="response.incomplete"):
    """The end: it was cut off."""


class Failed(_Life, frozen=True, kw_only=True, tag="response.failed"):
    """The end: it failed, or was cancelled."""


class _OfItem(Numbered, frozen=True, kw_only=True):
    output_index: int
    item: OutputItem


class ItemAdded(_OfItem, frozen=True, kw_only=True, tag="response.output_item.added"):
    """An item begins, with nothing in it."""


class ItemDone(_OfItem, frozen=True, kw_only=True, tag="response.output_item.done"):
    """An item is whole."""


class _InItem(Numbered, frozen=True, kw_only=True):
    item_id: str
    output_index: int


class _InPart(_InItem, frozen=True, kw_only=True):
    content_index: int


class _OfPart(_InPart, frozen=True, kw_only=True):
    part: OutputText | ReasoningText


class PartAdded(_OfPart, frozen=True, kw_only=True, tag="response.content_part.added"):
    """A part of an item begins, with nothing in it."""


class PartDone(_OfPart, frozen=True, kw_only=True, tag="response.content_part.done"):
    """A part is whole."""


class TextMore(_InPart, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """More text."""

    delta: str
    logprobs: list[RawLogprob]


class TextDone(_InPart, frozen=True, kw_only=True, tag="response.output_text.done"):
    """All of the text."""

    text: str
    logprobs: list[RawLogprob]


class ReasoningMore(_InPart, frozen=True, kw_only=True, tag="response.reasoning_text.delta"):
    """More thoughts."""

    delta: str


class ReasoningDone(_InPart, frozen=True, kw_only=True, tag="response.reasoning_text.done"):
    """All of the thoughts."""

    text: str


class ArgumentsMore(_InItem, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"):
    """A call's arguments, whole: the text of a JSON object."""

    delta: str


class ArgumentsDone(_InItem, frozen=True, kw_only=True, tag="response.function_call_arguments.done"):
    """The same, as the end of them."""

    name: str
    arguments: str


class StreamError(Numbered, frozen=True, kw_only=True, tag="error"):
    """This gateway met an error that the response knows nothing of: ask for the rest again."""

    code: str
    message: str
    param: str | None
    error: ErrorObject


ResponseEvent = (
    Created
    | Queued
    | InProgress
    | Completed
    | Incomplete
    | Failed
    | ItemAdded
    | ItemDone
    | PartAdded
    | PartDone
    | TextMore
    | TextDone
    | ReasoningMore
    | ReasoningDone
    | ArgumentsMore
    | ArgumentsDone
    | StreamError
)


class DeletedResponse(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="response"):
    """It is gone."""

    id: str
    deleted: Literal[True]
