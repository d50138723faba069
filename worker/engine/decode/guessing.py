"""Whether guesses pay, and how long they should be: what was measured decides, since no table knows the machine.

A pass over a guess takes longer than one over a single id, by how much depends on device and model; what it brings
depends on the text. Where guessed steps bring fewer ids a second than plain ones they stop for a while, each time for
longer.
"""

_SHORTEST = 3
_LONGEST = 15
_SHARE = 0.2  # of what is new in a mean
_SHORTEST_PAUSE = 16
_LONGEST_PAUSE = 512


class _Mean:
    """A mean that forgets."""

    def __init__(self) -> None:
        self.value: float | None = None

    def note(self, value: float) -> None:
        self.value = value if self.value is None else self.value + _SHARE * (value - self.value)


class Guessing:
    """How guesses fared of late. Steps are noted as they are taken, plain ones too."""

    def __init__(self) -> None:
        self._plain_s = _Mean()
        self._guessed_s = _Mean()
        self._drawn = _Mean()
        self._length = _SHORTEST
        self._pause = 0
        self._next_pause = _SHORTEST_PAUSE

    @property
    def most(self) -> int:
        """How many ids to guess at the next step; 0 while it does not pay, and before a plain step was timed."""
        return 0 if self._pause or self._plain_s.value is None else self._length

    def note_plain(self, seconds: float) -> None:
        """A step without a guess was taken."""
        self._plain_s.note(seconds)
        self._pause = max(0, self._pause - 1)

    def note_guessed(self, seconds: float, *, guessed: int, drawn: int) -> None:
        """A step with a guess of so many ids brought so many new ones, from 1 to guessed + 1."""
        self._guessed_s.note(seconds)
        self._drawn.note(drawn)
        self._length = min(_LONGEST, 2 * guessed + 1) if drawn > guessed else max(_SHORTEST, drawn)
        if self._is_worth_it():
            self._next_pause = _SHORTEST_PAUSE
        else:
            self._pause, self._next_pause = self._next_pause, min(_LONGEST_PAUSE, 2 * self._next_pause)
            self._guessed_s, self._drawn, self._length = _Mean(), _Mean(), _SHORTEST

    def _is_worth_it(self) -> bool:
        assert self._plain_s.value is not None
        assert self._guessed_s.value is not None
        assert self._drawn.value is not None
        return self._drawn.value * self._plain_s.value > self._guessed_s.value
