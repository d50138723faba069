"""The prompts that are being read: whose chunk is next, and who steps aside for whom.

At most one long prompt is read chunk by chunk and one group of short ones in one go, by turns: so a long prompt delays
short ones by a chunk and not by itself. A long prompt that steps aside (bulk work's, or one beyond its tenant's share)
lets another pass, and goes on where it was when that one is read.
"""

from collections.abc import Collection, Iterator, Sequence

from .prefill import Prefill
from .row import Row

# How often other rows may pass one that steps aside and came before them: as often as they do in the queue.
_MOST_PASSED = 11


class Reading:
    """What is being read now."""

    def __init__(self) -> None:
        self._long: Prefill | None = None
        self._aside: Prefill | None = None
        self._group: Prefill | None = None
        self._is_long_next = True
        self._passed = 0  # how often the prompt that is read has stepped aside

    def __iter__(self) -> Iterator[Prefill]:
        """All of it."""
        return (prefill for prefill in (self._long, self._aside, self._group) if prefill is not None)

    @property
    def has_group(self) -> bool:
        """Whether short prompts are about to be read, so that no others may join."""
        return self._group is not None

    def may_begin(self, row: Row, *, is_long: bool) -> bool:
        """Whether a row's prompt could be read now."""
        if not is_long or self._long is None:
            return True
        may_pass = self._aside is None and self._passed < _MOST_PASSED
        return may_pass and not row.steps_aside and _steps_aside(self._long)

    def begin(self, prefill: Prefill, *, is_long: bool) -> None:
        """Read these from now on."""
        if is_long:
            self._passed += self._long is not None
            self._long, self._aside = prefill, self._long or self._aside
        else:
            self._group = prefill

    def is_long(self, prefill: Prefill) -> bool:
        """Whether it is read chunk by chunk."""
        return prefill is self._long

    def next(self) -> Prefill | None:
        """Whose turn it is."""
        first, second = (self._long, self._group) if self._is_long_next else (self._group, self._long)
        prefill = first or second
        self._is_long_next = prefill is not self._long
        return prefill

    def end(self, prefill: Prefill) -> None:
        """It has been read."""
        if prefill is self._long:
            self._long, self._aside = self._aside, None
        else:
            self._group = None
        self._note_passed()

    def drop(self, keys: Collection[int]) -> None:
        """Let these rows go."""
        self._long = self._long and self._long.without(keys)
        self._aside = self._aside and self._aside.without(keys)
        self._group = self._group and self._group.without(keys)
        if self._long is None:
            self._long, self._aside = self._aside, None
        self._note_passed()

    def _note_passed(self) -> None:
        if not any(prefill and _steps_aside(prefill) for prefill in (self._long, self._aside)):
            self._passed = 0


class Waiting:
    """The rows that have no slot yet, in the order in which they are to get one."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._passed = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        """Those that step aside last; each in its turn where they have been passed often."""
        if self._passed >= _MOST_PASSED:
            return iter(self._rows)
        return iter(sorted(self._rows, key=lambda row: row.steps_aside))

    def add(self, row: Row) -> None:
        """Take a row in."""
        self._rows.append(row)

    def take(self, rows: Sequence[Row]) -> None:
        """Note that these have their slots now."""
        if any(row.steps_aside for row in rows):
            self._passed = 0
        elif any(row.steps_aside for row in self._rows):
            self._passed += 1
        self.drop({row.key for row in rows})

    def drop(self, keys: Collection[int]) -> None:
        """Let these rows go."""
        self._rows = [row for row in self._rows if row.key not in keys]


def _steps_aside(prefill: Prefill) -> bool:
    return all(row.steps_aside for row in prefill.rows)
