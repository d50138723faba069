"""A generation's guide: which ids may be next, given those that came.

Where a model thinks before it answers, the thoughts are free and the answer is guided. They may not end the turn: an
answer must follow.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import Refused

from .library import Matcher

# A step's ids take some ten microseconds to find. What takes much longer, again and again, would stall everybody.
_STEP_S = 0.005
_PATIENCE_S = 0.5
# A template opens thoughts, or closes them unthought, in its very last ids.
_TAIL = 16


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a model thinks: the ids that open and close its thoughts, and whether its prompt has opened them."""

    opens: Sequence[int]
    closes: Sequence[int]
    is_open: bool


def thinking_after(
    prompt: Sequence[int], opens: Sequence[int], closes: Sequence[int], *, is_blank: Callable[[int], bool]
) -> Thinking | None:
    """Tell whether thoughts can come after this prompt; None where the model has none, or they are closed.

    Only its very end counts, but for blanks: what a user's message says of thoughts opens and closes none.
    """
    tail = list(prompt[-_TAIL:])
    while tail and is_blank(tail[-1]):
        tail.pop()
    if not opens or not closes or _ends_with(tail, closes):
        return None
    return Thinking(opens, closes, is_open=_ends_with(tail, opens))


class Guide:
    """Owned by the thread that decodes."""

    def __init__(self, matcher: Matcher, *, field: str, free: NDArray[np.uint32], thinking: Thinking | None) -> None:
        """`field` is the request's, for complaints; `free` has the bits of all ids that may stand in thoughts."""
        self.refusal: Refused | None = None  # why it can't be followed any more
        self._matcher = matcher
        self._field = field
        self._free = free
        self._thinking = thinking
        self._is_open = thinking is not None and thinking.is_open
        self._recent: list[int] = []  # the last ids of thoughts, as many as close them
        self._debt_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the text is complete, so that nothing but the end of the turn can follow."""
        return not self._is_open and self._matcher.is_over

    def allow(self, words: NDArray[np.uint32]) -> None:
        """Set the bits of the ids that may be next, bit i of word w for id 32 w + i, and clear all others."""
        if self.refusal:
            words[:] = np.iinfo(np.uint32).max
            return
        if self._is_open:
            words[:] = self._free
            return
        # The thread's own time: on a busy machine the clock on the wall tells of others.
        started = time.thread_time()
        self._matcher.fill(words)
        self._debt_s = max(0.0, self._debt_s + time.thread_time() - started - _STEP_S)
        if self._may_open:
            token = self._thinking_opens[0]
            words[token >> 5] |= np.uint32(1 << (token & 31))
        self._judge()

    def advance(self, token: int) -> None:
        """Go on by the id that was drawn."""
        if self._is_open:
            self._think(token)
        elif self._may_open and token == self._thinking_opens[0]:
            self._is_open = True
        else:
            self._thinking = None
            self._matcher.take(token)
            self._judge()

    @property
    def _thinking_opens(self) -> Sequence[int]:
        return self._thinking.opens if self._thinking else ()

    @property
    def _may_open(self) -> bool:
        """Whether thoughts may begin here: in place of the answer's first id, if one id opens them."""
        return len(self._thinking_opens) == 1

    def _think(self, token: int) -> None:
        assert self._thinking is not None
        closes = list(self._thinking.closes)
        self._recent = [*self._recent, token][-len(closes) :]
        if self._recent == closes:
            self._is_open, self._thinking = False, None

    def _judge(self) -> None:
        if error := self._matcher.error:
            said = f"The grammar can't be followed any further: {error}"
        elif self._debt_s > _PATIENCE_S:
            said = "The grammar takes too long to follow."
        else:
            return
        self.refusal = self.refusal or Refused("invalid_value", said, param=self._field)


def _ends_with(ids: list[int], wanted: Sequence[int]) -> bool:
    return ids[-len(wanted) :] == list(wanted)
