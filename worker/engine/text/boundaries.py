"""Where later prompts are likely to part from this one: behind the last message, and before the first of the user.

A template writes an answer's beginning behind the messages, and an answer that has become a message otherwise (without
its reasoning, say). So the messages are written out again without it, and once more with another first word; where the
ids begin to differ is asked of the ids, as no template tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Protocol

from shared.errors import Refused

Written = Mapping[str, Any]


class Write(Protocol):
    """Writes messages out as ids, with or without the beginning of an answer."""

    def __call__(self, messages: Sequence[Written], *, is_answered: bool) -> list[int]:
        """Raise `Refused` where the template takes no such messages."""
        ...


def boundaries_of(ids: Sequence[int], messages: Sequence[Written], write: Write) -> tuple[int, ...]:
    """How many of a prompt's ids the others will have in common with it: in rising order, each above 0."""
    return tuple(sorted({_shared(ids, other) for other in _others(messages, write)} - {0, len(ids)}))


def _others(messages: Sequence[Written], write: Write) -> Iterator[list[int]]:
    first = next((at for at, message in enumerate(messages) if message["role"] == "user"), None)
    try:
        if first is not None:
            said: str = messages[first]["content"]
            other = {**messages[first], "content": "#" if said[:1] != "#" else "-"}
            yield write([*messages[:first], other, *messages[first + 1 :]], is_answered=True)
        yield write(messages, is_answered=False)
    except Refused:
        return  # this template takes no such messages: fewer boundaries are known, and nothing is wrong


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
