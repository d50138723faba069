"""Tool calls in OpenAI's words. A call is always told whole."""

import msgspec

from shared.event import ToolCall


class CalledFunction(msgspec.Struct, frozen=True):
    """What was called, and with what: a JSON object, as text."""

    name: str
    arguments: str


class Call(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """A call of a whole answer."""

    id: str
    function: CalledFunction


class CallDelta(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    """A call in a stream."""

    index: int
    id: str
    function: CalledFunction


def call_of(call: ToolCall) -> Call:
    """The call as a whole answer tells it."""
    return Call(call.id, CalledFunction(call.name, call.arguments))


def delta_of(call: ToolCall) -> CallDelta:
    """The call as a stream tells it."""
    return CallDelta(call.index, call.id, CalledFunction(call.name, call.arguments))
