"""What the stored states are known by to others: labels, each on one state or on several, and who hears of changes.

A label is a name for the beginning of a prompt, and says nothing here. Many states may serve one, since prompts share
beginnings: it is stored with the first of them, and evicted with the last. What comes and goes between two tellings is
never told, so a state that takes another's place makes no news.
"""

from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

# A chat that grows leaves two behind with each turn; who still asks for the oldest is hardly worth the memory.
MOST_OF_A_STATE = 32
# So that a cache that is emptied at once makes no line that is too long for a pipe.
MOST_AT_ONCE = 4_096


class Changes(NamedTuple):
    """The labels that are served now and were not when it was last told, and the other way round."""

    stored: list[str]
    evicted: list[str]


class Labels:
    """The labels of each state, which is known by its place."""

    def __init__(self) -> None:
        self._at: dict[Hashable, list[str]] = {}
        self._states: dict[str, int] = {}  # how many bear a label
        self._touched: dict[str, bool] = {}  # since it was last told; whether it was served then

    def __contains__(self, label: str) -> bool:
        """Whether some state bears it."""
        return label in self._states

    def of(self, place: Hashable) -> Sequence[str]:
        """What the state at this place bears, the newest first."""
        return self._at.get(place, ())

    def put(self, place: Hashable, labels: Iterable[str]) -> None:
        """Give the state at this place these labels, beside those it has; the oldest fall off where it has many."""
        borne = list(dict.fromkeys([*labels, *self.drop(place)]))[:MOST_OF_A_STATE]
        if borne:
            self._at[place] = borne
        for label in borne:
            self._touch(label)
            self._states[label] = self._states.get(label, 0) + 1

    def drop(self, place: Hashable) -> Sequence[str]:
        """Take all labels off the state at this place, and tell them."""
        borne = self._at.pop(place, [])
        for label in borne:
            self._touch(label)
            self._states[label] -= 1
            if not self._states[label]:
                del self._states[label]
        return borne

    def changes(self) -> Changes:
        """What has changed since the last call, in all; where that is very much, the rest is left for the next call."""
        pairs = iter(self._touched.items())
        touched, self._touched = dict(islice(pairs, MOST_AT_ONCE)), dict(pairs)
        return Changes(
            stored=[label for label, was_served in touched.items() if not was_served and label in self],
            evicted=[label for label, was_served in touched.items() if was_served and label not in self],
        )

    def _touch(self, label: str) -> None:
        self._touched.setdefault(label, label in self._states)
