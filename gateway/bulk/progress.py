"""How far a batch has come, and what is to be committed next. Plain values: no clock, no I/O.

Lines end in any order. All before `line` have their results; of those behind it, `done` have. So whoever goes on reads
the input from one place, and asks only for what is missing.
"""

from collections.abc import Sequence

import msgspec

from shared.bulk import Batch, Commit, Ending, Problem

from .line import Line
from .result import Result


class Progress:
    """One batch's, from where its record says."""

    def __init__(self, batch: Batch) -> None:
        self.line = batch.line
        self.offset = batch.offset
        self._done = {int(number) for number in batch.done.split(",") if number}
        self._ends: dict[int, int] = {}
        self._completed = batch.completed
        self._failed = batch.failed
        self._commits = batch.commits
        self._output = bytearray()
        self._errors = bytearray()
        self._has_news = False
        self._sent: Commit | None = None
        self.has_expired = False  # whether a line's result is that nobody came to it in time

    @property
    def ahead(self) -> int:
        """How many lines were read behind the first that is missing."""
        return len(self._ends)

    def missing(self, count: int) -> set[int]:
        """Which of so many lines, from the first that is missing on, have no result."""
        return set(range(self.line, self.line + count)) - self._done

    @property
    def results(self) -> int:
        """How many lines have theirs."""
        return self._completed + self._failed

    def begin(self, line: Line) -> bool:
        """Note that a line was read; tells whether its result is missing."""
        self._ends[line.number] = line.end
        is_missing = line.number not in self._done
        self._advance()
        return is_missing

    def finish(self, number: int, result: Result | None) -> None:
        """Note a line's result; a blank one has none."""
        self._done.add(number)
        self._has_news = True
        if result and result.is_error:
            self._errors += result.line
            self._failed += 1
        elif result:
            self._output += result.line
            self._completed += 1
        self._advance()

    def commit(self, ending: Ending | None = None, problems: Sequence[Problem] = ()) -> Commit:
        """What to commit: the same until it was `committed`; without news the last number, which changes nothing."""
        if self._sent is None and (self._has_news or ending):
            fields = {
                "line": self.line,
                "offset": self.offset,
                "done": ",".join(str(number) for number in sorted(self._done)),
                "completed": self._completed,
                "failed": self._failed,
                "problems": msgspec.json.encode(problems),
            }
            output, errors = bytes(self._output), bytes(self._errors)
            number = self._commits + 1
            self._sent = Commit(number=number, output=output, errors=errors, ending=ending or "", fields=fields)
            self._output.clear()
            self._errors.clear()
            self._has_news = False
        return self._sent or Commit(number=self._commits)

    def committed(self) -> None:
        """It is in Redis."""
        if self._sent:
            self._commits = self._sent.number
            self._sent = None

    def _advance(self) -> None:
        while self.line in self._done and self.line in self._ends:
            self._done.discard(self.line)
            self.offset = self._ends.pop(self.line)
            self.line += 1
