"""A conversation in Anthropic's words as the pool's messages.

Of a turn's blocks the texts become one text, each on lines of its own; what tools gave becomes messages of their own,
in the blocks' order; calls stay with the assistant's text. Turns of one role that follow each other become one, as
Anthropic promises; most chat templates take them no other way. Marked blocks become places in those messages.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple, NoReturn, assert_never

import msgspec

from shared.errors import Refused
from shared.job import Message
from shared.outline import CachePoint
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


class Conversation(NamedTuple):
    """The messages, and the places in them behind which something was marked, in order."""

    messages: list[Message]
    cache_points: list[CachePoint]


class _Said(NamedTuple):
    """A message, and behind how many characters of its text something was marked."""

    message: Message
    marks: tuple[int, ...] = ()


def conversation_of(
    system: str | Sequence[TextBlock] | None, turns: Sequence[Turn], *, has_marked_tools: bool = False
) -> Conversation:
    """The conversation.

    Raises:
        Refused: a block stands where none of its type may, or there are too many messages.

    """
    first, marks = _system(system)
    # Templates differ in which they write first, so a mark on the tools is one behind the system prompt, too.
    tools_end = [CachePoint(0, len(first))] if has_marked_tools else []
    told = [_Said(Message(role="system", content=first), marks)] if first else []
    said = list(_joined([*told, *_spoken(turns)]))
    if len(said) > MAX_MESSAGES:
        complaint = f"`messages` and what tools gave in them are {len(said)} messages of at most {MAX_MESSAGES}."
        raise Refused("invalid_value", complaint, param="messages")
    points = [CachePoint(at, mark) for at, each in enumerate(said) for mark in each.marks]
    return Conversation([each.message for each in said], [*tools_end, *points])


def _system(system: str | Sequence[TextBlock] | None) -> tuple[str, tuple[int, ...]]:
    blocks = [TextBlock(system)] if isinstance(system, str) else system or []
    told = [msgspec.structs.replace(block, text=_BILLING.sub("", block.text)) for block in blocks]
    return _text_of([block for block in told if block.text])


def _spoken(turns: Sequence[Turn]) -> Iterator[_Said]:
    for at, turn in enumerate(turns):
        blocks = [TextBlock(turn.content)] if isinstance(turn.content, str) else turn.content
        path = f"messages[{at}].content"
        match turn.role:
            case "user":
                yield from _said_by_user(blocks, path)
            case "assistant":
                yield _said_by_assistant(blocks, path)
            case "system":
                text, marks = _text_of(list(_texts_in(blocks, path, turn.role)))
                yield _Said(Message(role="system", content=text), marks)
            case _:
                assert_never(turn.role)


def _said_by_user(blocks: Sequence[Block], path: str) -> Iterator[_Said]:
    if not blocks:
        yield _Said(Message(role="user", content=""))
    for at, block in enumerate(blocks):
        match block:
            case TextBlock():
                text, marks = _text_of([block])
                yield _Said(Message(role="user", content=text), marks)
            case ToolResultBlock():
                text = _given_by(block)
                marks = (len(text),) if _is_marked(block) else ()
                yield _Said(Message(role="tool", content=text, tool_call_id=block.tool_use_id), marks)
            case _:
                _refuse(f"{path}[{at}]", block, "user")


def _said_by_assistant(blocks: Sequence[Block], path: str) -> _Said:
    texts: list[TextBlock] = []
    calls: list[PastCall] = []
    has_marked_call = False
    for at, block in enumerate(blocks):
        match block:
            case TextBlock():
                texts.append(block)
            case ToolUseBlock():
                has_marked_call |= block.cache_control is not None
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
    text, marks = _text_of(texts)
    message = Message(role="assistant", content=text, tool_calls=calls or None)
    return _Said(message, (*marks, len(text)) if has_marked_call else marks)


def _given_by(block: ToolResultBlock) -> str:
    text = block.content or ""
    if not isinstance(text, str):
        text = _BETWEEN_TEXTS.join(each.text for each in text)
    return f"Error: {text}" if block.is_error else text  # templates have no other way to say so


def _is_marked(block: ToolResultBlock) -> bool:
    inner = block.content if isinstance(block.content, list) else []
    return any(each.cache_control for each in (block, *inner))


def _texts_in(blocks: Sequence[Block], path: str, role: str) -> Iterator[TextBlock]:
    for at, block in enumerate(blocks):
        if not isinstance(block, TextBlock):
            _refuse(f"{path}[{at}]", block, role)
        yield block


def _text_of(blocks: Sequence[TextBlock]) -> tuple[str, tuple[int, ...]]:
    """The blocks' text, and behind how many of its characters one was marked."""
    nexts = accumulate(len(block.text) + len(_BETWEEN_TEXTS) for block in blocks)
    marks = tuple(at - len(_BETWEEN_TEXTS) for at, block in zip(nexts, blocks, strict=True) if block.cache_control)
    return _BETWEEN_TEXTS.join(block.text for block in blocks), marks


def _joined(said: Sequence[_Said]) -> Iterator[_Said]:
    for role, same in groupby(said, key=lambda each: each.message.role):
        first, *more = same
        if role == "tool":
            yield from (first, *more)
            continue
        for each in more:
            if first.message.tool_calls:  # what was said behind a call can't be told as said before it
                yield first
                first = each
            else:
                first = _one(first, each)
        yield first


def _one(first: _Said, second: _Said) -> _Said:
    content = _BETWEEN_TEXTS.join(text for each in (first, second) if (text := each.message.content))
    start = len(content) - len(second.message.content or "")
    message = msgspec.structs.replace(first.message, content=content, tool_calls=second.message.tool_calls)
    return _Said(message, (*first.marks, *(start + mark for mark in second.marks)))


def _refuse(path: str, block: Block, role: str) -> NoReturn:
    kind = block.__struct_config__.tag
    raise Refused("invalid_value", f"`{path}`: a {kind} block is not for role {role}.", param=path)
