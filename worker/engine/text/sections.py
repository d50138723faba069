"""An answer's text as sections: what is said, what is only thought, and what is a call, told apart by markers.

The markers are looked for in the text, since as tokens one and the same marker comes in many ways.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .search import first_match, length_held

# The names that every dialect has; some have others, for text that belongs to nobody.
CONTENT, REASONING, CALL = "normal", "reasoning", "tool"

# Of each kind of section: which markers end it, and what kind follows.
Markers = Mapping[str, Mapping[str, str]]


class Section(NamedTuple):
    """More text of a section; with the `marker` that ended it, once it came."""

    kind: str
    text: str
    marker: str = ""


class Sections:
    """Cuts text at the markers, which belong to no section; holds back what may still become one."""

    def __init__(self, markers: Markers, kind: str) -> None:
        """`kind` is that of the first section."""
        self._markers = markers
        self._held = ""
        self._begin(kind)

    def is_inside(self, text: str) -> bool:
        """Whether it just goes on, as most text does: then it need not be fed."""
        if self._held:
            return False
        for sign in self._signs:  # noqa: SIM110 four times as quick as `all` with a generator
            if sign in text:
                return False
        return True

    def feed(self, text: str) -> Iterator[Section]:
        """Take more text; give what can be told of it."""
        self._held += text
        while match := first_match(self._held, self._wanted):
            marker = self._held[match.begin : match.end]
            ended = Section(self.kind, self._held[: match.begin], marker)
            self._held = self._held[match.end :]
            self._begin(self._wanted[marker])
            yield ended
        shown = len(self._held) - length_held(self._held, self._wanted)
        more, self._held = self._held[:shown], self._held[shown:]
        if more:
            yield Section(self.kind, more)

    def flush(self) -> Section:
        """Return what was held back: nothing comes any more that could complete it."""
        held, self._held = self._held, ""
        return Section(self.kind, held)

    def _begin(self, kind: str) -> None:
        self.kind = kind
        self._wanted = self._markers.get(kind, {})
        self._signs = tuple({marker[0] for marker in self._wanted})
