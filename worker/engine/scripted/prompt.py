"""A request's prompt as the scripted engine sees it: a count of tokens, a hash, and the text that directives stand in.

There is no tokenizer: text costs a token for every four bytes, a turn of a conversation four more. `prompt` with
kind=chat is one user message, as it is for a real model, so both spellings get the same answer.
"""

import hashlib

import msgspec

from shared.job import Ask, Message

_TURN_TOKENS = 4
_ENCODE = msgspec.json.Encoder().encode


class Prompt(msgspec.Struct, frozen=True):
    """What stands before the first generated id."""

    canonical: bytes  # equal prompts, equal bytes
    tokens: int
    text: str

    @property
    def hash(self) -> str:
        """Return what `started` reports: the same for every attempt of a job."""
        return hashlib.blake2b(self.canonical, digest_size=8).hexdigest()


def render(ask: Ask) -> Prompt:
    """Render an ask that `check_ask` let pass."""
    if ask.tokens is not None:
        return Prompt(b"tokens" + _ENCODE(ask.tokens), len(ask.tokens), "")
    if ask.prompt is not None and ask.kind == "text":
        return Prompt(b"text" + ask.prompt.encode(), _count(ask.prompt.encode()), ask.prompt)
    messages = ask.messages or [Message(role="user", content=ask.prompt or "")]
    offered = _ENCODE(ask.offered) if ask.offered else b""
    canonical = b"chat" + _ENCODE((messages, ask.template_kwargs)) + offered
    tokens = sum(_count((message.content or "").encode()) + _TURN_TOKENS for message in messages) + _count(offered)
    return Prompt(canonical, tokens, "\n".join(message.content or "" for message in messages))


def _count(text: bytes) -> int:
    return -(-len(text) // 4)
