"""A conversation in items as the pool's messages, and an answer's items as what the next turn begins with.

The assistant's message and the calls behind it become one message: so most chat templates know them. What the model
thought is left out, as OpenAI leaves it out of the turns before.
"""

from collections.abc import Iterator, Sequence

import msgspec

from gateway.openai.chat_request import Part
from shared.errors import Refused
from shared.job import Message
from shared.tools import CalledFunction, PastCall

from .input_item import InputItem, InputPart
from .items import FunctionCall, OutputItem, OutputMessage

MAX_MESSAGES = 1_024
MAX_CALLS = 128
_BETWEEN_TEXTS = "\n"
_TEXTS = ("input_text", "output_text", "text")


def items_of(given: str | Sequence[InputItem]) -> list[InputItem]:
    """The items, whichever of its two shapes `input` has."""
    return [InputItem(role="user", content=given)] if isinstance(given, str) else list(given)


def conversation_of(instructions: str | None, history: Sequence[InputItem], own: Sequence[InputItem]) -> list[Message]:
    """The messages; an item of the request's own is named by its place in `input`.

    Raises:
        Refused: an item can't be told to the model, lacks what it needs, or there are too many messages.

    """
    system = [Message(role="system", content=instructions)] if instructions else []
    said = [message for item in history for message in _said(item, "previous_response_id")]
    said += [message for at, item in enumerate(own) for message in _said(item, f"input[{at}]")]
    messages = [*system, *_joined(said)]
    if not messages:
        raise Refused("invalid_value", "`input` holds nothing to answer.", param="input")
    if len(messages) > MAX_MESSAGES:
        raise Refused("invalid_value", f"There are {len(messages)} messages of at most {MAX_MESSAGES}.", param="input")
    return messages


def turn_of(output: Sequence[OutputItem]) -> list[InputItem]:
    """What an answer is to the next turn, its thoughts left out."""
    return [item for told in output for item in _remembered(told)]


def _remembered(item: OutputItem) -> Iterator[InputItem]:
    match item:
        case OutputMessage():
            parts = [InputPart("output_text", msgspec.json.decode(part.text, type=str)) for part in item.content]
            yield InputItem(id=item.id, role="assistant", content=parts)
        case FunctionCall():
            call_id, name, arguments = item.call_id, item.name, item.arguments
            yield InputItem(type="function_call", id=item.id, call_id=call_id, name=name, arguments=arguments)
        case _:
            return


def _said(item: InputItem, path: str) -> Iterator[Message]:
    match item.type:
        case "message":
            if item.role is None:
                raise _missing(path, "role")
            yield Message(
                role="system" if item.role == "developer" else item.role, content=_text(item, "content", path)
            )
        case "function_call":
            yield Message(role="assistant", tool_calls=[_call(item, path)])
        case "function_call_output":
            yield Message(role="tool", content=_text(item, "output", path), tool_call_id=_needed(item, "call_id", path))
        case "reasoning":
            return
        case other:
            raise Refused("unsupported", f"`{path}`: the models here can't be told of {other!r}.", param=path)


def _call(item: InputItem, path: str) -> PastCall:
    called = CalledFunction(_needed(item, "name", path), _needed(item, "arguments", path))
    return PastCall(_needed(item, "call_id", path), "function", called)


def _text(item: InputItem, field: str, path: str) -> str:
    said: str | Sequence[Part] | None = getattr(item, field)
    if said is None:
        raise _missing(path, field)
    if isinstance(said, str):
        return said
    return _BETWEEN_TEXTS.join(_piece(part, f"{path}.{field}[{at}]") for at, part in enumerate(said))


def _piece(part: Part, path: str) -> str:
    field = "text" if part.type in _TEXTS else part.type
    if field not in ("text", "refusal"):
        raise Refused("unsupported", f"The models here read text, no {part.type!r}.", param=path)
    text = part.text if field == "text" else part.refusal
    if text is None:
        raise _missing(path, field)
    return text


def _needed(item: InputItem, field: str, path: str) -> str:
    value: str | None = getattr(item, field)
    if value is None:
        raise _missing(path, field)
    return value


def _missing(path: str, field: str) -> Refused:
    return Refused("missing_field", f"`{path}.{field}` is missing.", param=f"{path}.{field}")


def _joined(messages: Sequence[Message]) -> Iterator[Message]:
    """Calls join the assistant's message before them, as many as a message may have."""
    last: Message | None = None
    for message in messages:
        if last and message.tool_calls and last.role == "assistant" and len(last.tool_calls or ()) < MAX_CALLS:
            last = msgspec.structs.replace(last, tool_calls=[*(last.tool_calls or ()), *message.tool_calls])
            continue
        if last:
            yield last
        last = message
    if last:
        yield last
