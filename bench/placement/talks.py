"""Who asks what, and when: chats of ten turns, agents in bursts, questions about documents; all drawn beforehand."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.outline import Prefix

TURNS_OF_A_CHAT = 10
# Talks a second of each kind, at a rate of 1.
CHATS, BURSTS, DOCUMENTS = 0.5, 0.06, 0.6


class Turn(NamedTuple):
    """One prompt and its answer: `pause_s` after the answer before, or after the talk's beginning."""

    pause_s: float
    prompt: tuple[Prefix, ...]  # its boundaries; the last one is the whole prompt
    answer: Prefix  # the boundary behind the answer
    told: tuple[Prefix, ...]  # the prompt as it is told without a tokenizer: off by some, the first and the last 15
    homes: tuple[Prefix, ...]  # by which its home is looked for: the turn before, and what the talk began with

    @property
    def answer_tokens(self) -> int:
        """How long the answer is."""
        return self.answer.tokens - self.prompt[-1].tokens


class Talk(NamedTuple):
    """Turns, each of which goes on from the one before."""

    begins_s: float
    turns: tuple[Turn, ...]


class _Said(NamedTuple):
    """What makes a turn: a message and its answer, in tokens."""

    pause_s: float
    message: int
    answer: int


def talks(rate: float, until_s: float, seed: int) -> list[Talk]:
    """All talks that begin before `until_s`: the same for all who choose among them."""
    return sorted(_Draw(seed).all(rate, until_s), key=lambda talk: talk.begins_s)


class _Draw:
    """Draws talks."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._hashes = (str(number) for number in itertools.count())
        self._systems = [Prefix(next(self._hashes), tokens) for tokens in (300, 500, 800, 1_200, 1_800)]
        self._apps = [Prefix(next(self._hashes), tokens) for tokens in (2_500, 4_000, 6_000)]
        self._library = Prefix(next(self._hashes), 300)

    def all(self, rate: float, until_s: float) -> Iterator[Talk]:
        for begins_s in self._times(CHATS * rate, until_s):
            yield self._chat(begins_s)
        for begins_s in self._times(BURSTS * rate, until_s):
            yield from self._burst(begins_s)
        for begins_s in self._times(DOCUMENTS * rate, until_s):
            said = _Said(0, self._about(3_500, 0.6), self._about(180, 0.6))
            yield self._talk(begins_s, [self._library], [said])

    def _chat(self, begins_s: float) -> Talk:
        pauses = (0.0, *(self._about(12, 0.9) for _ in range(TURNS_OF_A_CHAT - 1)))
        said = [_Said(pause, self._about(80, 1.0), self._about(170, 0.8)) for pause in pauses]
        return self._talk(begins_s, [self._chance.choice(self._systems)], said)

    def _burst(self, begins_s: float) -> Iterator[Talk]:
        """Agents of one app, at once, on one context: a call each second or two."""
        app = self._chance.choice(self._apps)
        context = Prefix(next(self._hashes), app.tokens + self._chance.randint(1_000, 6_000))
        for _ in range(self._chance.randint(3, 8)):
            pauses = (0.0, *(self._chance.uniform(0.3, 3) for _ in range(self._chance.randint(1, 5))))
            said = [_Said(pause, self._about(300, 0.8), self._about(110, 0.6)) for pause in pauses]
            yield self._talk(begins_s + self._chance.uniform(0, 0.2), [app, context], said)

    def _talk(self, begins_s: float, opening: Sequence[Prefix], said: Sequence[_Said]) -> Talk:
        off = math.exp(self._chance.gauss(0, 0.12))
        prompt = tuple(opening)
        turns: list[Turn] = []
        for pause_s, message, answer in said:
            prompt = (*prompt, Prefix(next(self._hashes), prompt[-1].tokens + message))
            answered = Prefix(next(self._hashes), prompt[-1].tokens + answer)
            told = tuple(Prefix(each.hash, int(each.tokens * off)) for each in prompt)
            homes = (*told[-3:-2], *told[1:2]) if turns else told[1:2]
            turns.append(Turn(pause_s, prompt, answered, (*told[:1], *told[1:][-15:]), homes))
            prompt = (*prompt, answered)
        return Talk(begins_s, tuple(turns))

    def _times(self, rate: float, until_s: float) -> Iterator[float]:
        at = self._chance.expovariate(rate)
        while at < until_s:
            yield at
            at += self._chance.expovariate(rate)

    def _about(self, median: float, spread: float) -> int:
        return int(min(12_000, max(2, median * math.exp(self._chance.gauss(0, spread)))))
