"""Prompt lookup: a guess at a row's next ids, copied from where its last few ids stood before.

No second model. Answers that quote what they were given, code, tables, JSON, repeat long stretches of it. The model
checks a whole guess in one pass, and throws away what it would not have drawn itself: a wrong guess costs time, never
an id. After https://github.com/apoorvumang/prompt-lookup-decoding.
"""

from collections.abc import Iterable, Sequence

# How many last ids have to be the same, the surest first.
_LENGTHS = (4, 3, 2)


class Lookup:
    """One row's ids, and what came after every few of them the last time."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids: list[int] = []
        self._next: dict[tuple[int, ...], int] = {}  # some ids → the place behind their latest occurrence
        self.extend(ids)

    @property
    def last(self) -> int:
        """The newest id."""
        return self._ids[-1]

    def tail(self, count: int) -> Sequence[int]:
        """The newest ids, at most so many."""
        return self._ids[-count:]

    def extend(self, ids: Iterable[int]) -> None:
        """Add the row's next ids."""
        for token in ids:
            place = len(self._ids)
            for length in _LENGTHS:
                if place >= length:
                    self._next[tuple(self._ids[place - length : place])] = place
            self._ids.append(token)

    def guess(self, most: int) -> Sequence[int]:
        """At most so many ids that may come next; none when the last ones stood nowhere before."""
        for length in _LENGTHS:
            place = self._next.get(tuple(self._ids[-length:]))
            if place is not None:
                return self._ids[place : place + most]
        return ()
