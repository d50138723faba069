"""A request's prompt as token ids."""

import array
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.errors import Refused
from shared.job import Ask, Message
from shared.tools import arguments_in

from .boundaries import boundaries_of
from .dialect import told_of
from .tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Prompt:
    """Ids to go on after. A templated one ends where the model's turn begins, another anywhere in a text."""

    ids: list[int]
    is_templated: bool
    boundaries: tuple[int, ...] = ()  # after how many ids a later prompt may part from it, where that was asked for


def prompt_of(
    ask: Ask, tokenizer: Tokenizer, *, vocabulary: int, now_ms: int, wants_boundaries: bool = False
) -> Prompt:
    """Make the prompt; `Refused` names what can't be one. Equal asks at one `now_ms` give equal ids anywhere."""
    if ask.offered and not (tokenizer.has_chat_template and tokenizer.dialect.has_tools):
        raise Refused("unsupported", "The model knows no tools.", param="tools")
    prompt = _written_out(ask, tokenizer, now_ms, wants_boundaries=wants_boundaries)
    field = ask.prompt_field
    if not prompt.ids:
        raise Refused("invalid_value", f"`{field}` has no tokens.", param=field)
    # Some tokenizers know marks that their model lacks, an image's say; an id beyond reads outside of its embedding.
    if (highest := max(prompt.ids)) >= vocabulary:
        raise Refused("invalid_value", f"`{field}` has id {highest}; the model has {vocabulary}.", param=field)
    return prompt


def _written_out(ask: Ask, tokenizer: Tokenizer, now_ms: int, *, wants_boundaries: bool) -> Prompt:
    if ask.tokens is not None:
        return Prompt(ask.tokens, is_templated=False)
    if ask.messages is not None or (ask.kind != "text" and tokenizer.has_chat_template):
        return _conversation(ask, tokenizer, now_ms, wants_boundaries=wants_boundaries)
    assert ask.prompt is not None, "check_ask leaves one of the three"
    return Prompt(tokenizer.encode(ask.prompt), is_templated=False)


def hash_of(ids: Sequence[int]) -> str:
    """A short name for these ids, the same on every machine: 16 hex digits."""
    words = array.array("I", ids)
    if sys.byteorder == "big":
        words.byteswap()
    return hashlib.sha256(words.tobytes()).hexdigest()[:16]


def _conversation(ask: Ask, tokenizer: Tokenizer, now_ms: int, *, wants_boundaries: bool) -> Prompt:
    if not tokenizer.has_chat_template:
        raise Refused("unsupported", "The model has no chat template: it takes `prompt` or `tokens`.", param="messages")
    messages = [
        _written(message, f"messages[{at}]")
        for at, message in enumerate(ask.messages or [Message(role="user", content=ask.prompt or "")])
    ]
    options: dict[str, object] = msgspec.to_builtins(ask.template_kwargs) if ask.template_kwargs else {}
    if ask.offered:
        options["tools"] = told_of(ask.offered)

    def write(messages: Sequence[Mapping[str, Any]], *, is_answered: bool) -> list[int]:
        return tokenizer.encode_chat(messages, options, now_ms=now_ms, is_answered=is_answered)

    ids = write(messages, is_answered=True)
    boundaries = boundaries_of(ids, messages, write) if wants_boundaries else ()
    return Prompt(ids, is_templated=True, boundaries=boundaries)


def _written(message: Message, path: str) -> dict[str, Any]:
    """A message as templates take it: with some text, and with arguments that are objects."""
    written: dict[str, Any] = {"content": "", **msgspec.to_builtins(message)}
    for at, call in enumerate(message.tool_calls or ()):
        written["tool_calls"][at]["function"]["arguments"] = arguments_in(call, f"{path}.tool_calls[{at}]")
    return written
