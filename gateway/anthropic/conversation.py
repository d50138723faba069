"""A conversation in Anthropic's words as the pool's messages.

Of a turn's blocks the texts become one text, each on lines of its own; what tools gave becomes messages of their own,
in the blocks' order; calls stay with the assistant's text. Turns of one role that follow each other become one, as
Anthropic promises; most chat templates take them no other way.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NoReturn, assert_never

import msgspec

from shared.errors import Refused
from shared.job import Message
from shared.tools import CalledFunction, PastCall

from .blocks import Block, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock
from .request import Turn

# The bounds of a job's messages: one turn here can be many of them.
MAX_MESSAGES = 1_024
MAX_CALLS = 128
_BETWEEN_TEXTS = "\n"
# A line that coding agents put before the system prompt, meant for Anthropic's accounts and not for the model. It is
# another one in every request, so with it no prompt would begin like one that was computed before.
_BILLING = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n?")


def conversation_of(system: str | Sequence[TextBlock] | None, turns: Sequence[Turn]) -> list[Message]:
    """The messages.

    Raises:
        Refused: a block stands where none of its type may, or there are too many messages.

    """
    messages = list(_joined([*_system(system), *_spoken(turns)]))
    if len(messages) > MAX_MESSAGES:
        said = f"`messages` and what tools gave in them are {len(messages)} messages of at most {MAX_MESSAGES}."
        raise Refused("invalid_value", said, param="messages")
    return messages


def _system(system: str | Sequence[TextBlock] | None) -> list[Message]:
    blocks = [TextBlock(system)] if isinstance(system, str) else system or []
    text = _BETWEEN_TEXTS.join(said for block in blocks if (said := _BILLING.sub("", block.text)))
    return [Message(role="system", content=text)] if text else []


def _spoken(turns: Sequence[Turn]) -> Iterator[Message]:
    for at, turn in enumerate(turns):
        blocks = [TextBlock(turn.content)] if isinstance(turn.content, str) else turn.content
        path = f"messages[{at}].content"
        match turn.role:
            case "user":
                yield from _said_by_user(blocks, path)
            case "assistant":
                yield _said_by_assistant(blocks, path)
            case "system":
                yield Message(role="system", content=_text_of(blocks, path, turn.role))
            case _:
                assert_never(turn.role)


def _said_by_user(blocks: Sequence[Block], path: str) -> Iterator[Message]:
    if not blocks:
        yield Message(role="user", content="")
    for at, block in enumerate(blocks):
        match block:
            case TextBlock():
                yield Message(role="user", content=block.text)
            case ToolResultBlock():
                yield Message(role="tool", content=_given_by(block), tool_call_id=block.tool_use_id)
            case _:
                _refuse(f"{path}[{at}]", block, "user")


def _said_by_assistant(blocks: Sequence[Block], path: str) -> Message:
    texts: list[str] = []
    calls: list[PastCall] = []
    for at, block in enumerate(blocks):
        match block:
            case TextBlock():
                texts.append(block.text)
            case ToolUseBlock():
                arguments = msgspec.json.encode(block.input).decode()
                calls.append(PastCall(block.id, "function", CalledFunction(block.name, arguments)))
            case ThinkingBlock() | RedactedThinkingBlock():
                pass  # most templates leave it out of past turns, and the pool's messages have no place for it
            case ToolResultBlock():
                _refuse(f"{path}[{at}]", block, "assistant")
            case _:
                assert_never(block)
    if len(calls) > MAX_CALLS:
        raise Refused("invalid_value", f"`{path}` has {len(calls)} calls of at most {MAX_CALLS}.", param=path)
    return Message(role="assistant", content=_BETWEEN_TEXTS.join(texts), tool_calls=calls or None)


def _given_by(block: ToolResultBlock) -> str:
    text = block.content or ""
    if not isinstance(text, str):
        text = _BETWEEN_TEXTS.join(each.text for each in text)
    return f"Error: {text}" if block.is_error else text  # templates have no other way to say so


def _text_of(blocks: Sequence[Block], path: str, role: str) -> str:
    texts: list[str] = []
    for at, block in enumerate(blocks):
        if not isinstance(block, TextBlock):
            _refuse(f"{path}[{at}]", block, role)
        texts.append(block.text)
    return _BETWEEN_TEXTS.join(texts)


def _joined(messages: Sequence[Message]) -> Iterator[Message]:
    for role, same in groupby(messages, key=lambda message: message.role):
        first, *more = same
        if role == "tool":
            yield from (first, *more)
            continue
        for message in more:
            if first.tool_calls:  # what was said behind a call can't be told as said before it
                yield first
                first = message
            else:
                content = _BETWEEN_TEXTS.join(text for text in (first.content, message.content) if text)
                first = msgspec.structs.replace(first, content=content, tool_calls=message.tool_calls)
        yield first


def _refuse(path: str, block: Block, role: str) -> NoReturn:
    kind = block.__struct_config__.tag
    raise Refused("invalid_value", f"`{path}`: a {kind} block is not for role {role}.", param=path)
