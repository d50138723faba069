"""The scripted engine's prompt cache: whose reading is not paid again. There is no state, only its length in tokens.

What a prompt shares with those that were served here is told by the names of its prefixes alone. Like a cache whose
states can be trimmed: each takes its whole length, makes those on its way superfluous, and goes when it was of use
longest ago.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from worker.engine.cache.cache import LEAST_TOKENS
from worker.engine.cache.labels import Labels

Prefixes = Sequence[tuple[str, int]]


class _Kept(NamedTuple):
    """The length of a prompt and of its answer."""

    prompt: int
    answer: int


class Recall:
    """The prompts that were served, each under the name of its whole, and what they were good for."""

    def __init__(self, cap_tokens: int) -> None:
        """Hold up to `cap_tokens`; with 0 nothing is ever kept."""
        self._cap_tokens = cap_tokens
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # first what was of use longest ago
        self.labels = Labels()
        self.held_tokens = 0
        self.asked_tokens = 0
        self.hits = 0
        self.saved_tokens = 0

    def find(self, prefixes: Prefixes, prompt: int) -> int:
        """Tell how many of a prompt's tokens need no reading, and count it; at least one is always read."""
        self.asked_tokens += prompt
        tokens = min(prompt - 1, self._shared(prefixes, prompt))
        if tokens < LEAST_TOKENS:
            return 0
        self.hits += 1
        self.saved_tokens += tokens
        return tokens

    def store(self, prefixes: Prefixes, prompt: int, answer: int = 0) -> None:
        """Keep what was read of a prompt, and generated behind it."""
        if not prefixes or prompt + answer > self._cap_tokens:
            return
        names = [name for name, _ in reversed(prefixes)]
        replaced = [self._drop(name) for name in names if name in self._kept]
        self._kept[names[0]] = _Kept(prompt, answer)
        self.labels.put(names[0], [*names, *chain.from_iterable(replaced)])
        self.held_tokens += prompt + answer
        while self.held_tokens > self._cap_tokens:
            self._drop(next(iter(self._kept)))

    def _shared(self, prefixes: Prefixes, prompt: int) -> int:
        """How much of it was read before: the longest prefix, and behind a whole prompt the answer that was given."""
        at = next((at for at in reversed(range(len(prefixes))) if prefixes[at][0] in self.labels), None)
        if at is None:
            return 0
        name = prefixes[at][0]
        self._kept.move_to_end(next(tip for tip in reversed(self._kept) if name in self.labels.of(tip)))
        ends = [tokens * prompt // max(1, prefixes[-1][1]) for _, tokens in prefixes[at : at + 2]]
        answer = self._kept[name].answer if name in self._kept else 0
        return min(ends[0] + answer, ends[-1])

    def _drop(self, tip: str) -> Sequence[str]:
        kept = self._kept.pop(tip)
        self.held_tokens -= kept.prompt + kept.answer
        return self.labels.drop(tip)
