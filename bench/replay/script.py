"""What the people of a talk say: messages as long as the talk's turns have them, the same at every run. Pure."""

from collections.abc import Sequence

from bench.placement.talks import Talk
from bench.turns.conversation import Message
from shared.outline import Prefix

# A token for every four bytes and four a message: how the scripted engine counts.
_BYTES_PER_TOKEN = 4
_TOKENS_OF_A_MESSAGE = 4
_FILLER = "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. "


def messages_of(talk: Talk, number: int, answers: Sequence[str]) -> list[Message]:
    """The messages of a talk's turn; `answers` are those to the turns before, as they came."""
    said_by_it = {turn.answer.hash: answer for turn, answer in zip(talk.turns, answers, strict=False)}
    messages: list[Message] = []
    before = 0
    for boundary in talk.turns[number].prompt:
        role = "user" if messages else "system"
        if boundary.hash in said_by_it:
            messages.append({"role": "assistant", "content": said_by_it[boundary.hash]})
        else:
            messages.append({"role": role, "content": _text(boundary, boundary.tokens - before)})
        before = boundary.tokens
    return messages


def _text(boundary: Prefix, tokens: int) -> str:
    """A text that no other boundary has, so long."""
    length = max(1, tokens - _TOKENS_OF_A_MESSAGE) * _BYTES_PER_TOKEN
    text = f"{boundary.hash}: "
    return (text + _FILLER * (length // len(_FILLER) + 1))[: max(length, len(text))]
