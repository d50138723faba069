"""A request's prompt as token ids."""

import array
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from shared.errors import Refused
from shared.job import Ask, Message

from .tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Prompt:
    """Ids to go on after. A templated one ends where the model's turn begins, another anywhere in a text."""

    ids: list[int]
    is_templated: bool


def prompt_of(ask: Ask, tokenizer: Tokenizer, *, vocabulary: int, now_ms: int) -> Prompt:
    """Make the prompt; `Refused` names what can't be one. Equal asks at one `now_ms` give equal ids anywhere."""
    if ask.tokens is not None:
        return Prompt(_known(ask.tokens, vocabulary), is_templated=False)
    if ask.messages is not None or (ask.kind != "text" and tokenizer.has_chat_template):
        return Prompt(_conversation(ask, tokenizer, now_ms), is_templated=True)
    assert ask.prompt is not None, "check_ask leaves one of the three"
    if ids := tokenizer.encode(ask.prompt):
        return Prompt(ids, is_templated=False)
    raise Refused("invalid_value", "`prompt` has no tokens.", param="prompt")


def hash_of(ids: Sequence[int]) -> str:
    """A short name for these ids, the same on every machine: 16 hex digits."""
    words = array.array("I", ids)
    if sys.byteorder == "big":
        words.byteswap()
    return hashlib.sha256(words.tobytes()).hexdigest()[:16]


def _known(ids: list[int], vocabulary: int) -> list[int]:
    if max(ids) >= vocabulary:
        raise Refused("invalid_value", f"`tokens` has id {max(ids)}; the model has {vocabulary}.", param="tokens")
    return ids


def _conversation(ask: Ask, tokenizer: Tokenizer, now_ms: int) -> list[int]:
    if not tokenizer.has_chat_template:
        raise Refused("unsupported", "The model has no chat template: it takes `prompt` or `tokens`.", param="messages")
    messages = ask.messages or [Message(role="user", content=ask.prompt or "")]
    options: dict[str, object] = msgspec.to_builtins(ask.template_kwargs) if ask.template_kwargs else {}
    return tokenizer.encode_chat(msgspec.to_builtins(messages), options, now_ms=now_ms)
