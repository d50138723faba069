"""How tokens come, as somebody sees them coming: how fast, and the silences between them. Decided on values alone."""

from typing import NamedTuple

from .moment import between

TELL_EVERY_MS = 1_000
SILENT_AFTER_MS = 1_000


class Stretch(NamedTuple):
    """Some tokens that came one after the other."""

    tokens_per_s: float
    gap_ms: int | None  # the longest silence among them


class Pace:
    """Counts what comes. A token whose coming nobody saw has no time, and no part in any silence."""

    def __init__(self) -> None:
        self.longest_gap_ms: int | None = None
        self._last_ms: int | None = None
        self._since_ms: int | None = None  # of what was not told yet: from when, how many, the longest silence
        self._count = 0
        self._gap_ms: int | None = None
        self._is_told = False  # the silence that is now

    def begin(self, at_ms: int | None) -> None:
        """Count a stretch from here."""
        self._since_ms, self._count, self._gap_ms = at_ms, 0, None

    def come(self, count: int, at_ms: int | None) -> int | None:
        """Take in tokens that came together; gives the silence before them, where it is known."""
        gap = self.silence(at_ms)
        if self._since_ms is None:
            self.begin(at_ms)  # whoever comes in mid-stream counts from the first one that is seen coming
        else:
            self._count += count
        self._last_ms, self._is_told = at_ms, False
        if gap is not None:
            self._gap_ms = max(self._gap_ms or 0, gap)
            self.longest_gap_ms = max(self.longest_gap_ms or 0, gap)
        return gap

    def stretch(self, at_ms: int | None) -> Stretch | None:
        """Give what has come since the last time, once it is worth a line; then the next one begins."""
        lasted = between(self._since_ms, at_ms)
        if lasted is None or lasted < TELL_EVERY_MS:
            return None
        told = Stretch(round(self._count * 1_000 / lasted, 1), self._gap_ms)
        self.begin(at_ms)
        return told

    def silence(self, now_ms: int | None) -> int | None:
        """How long ago the last token came, where that was seen."""
        return between(self._last_ms, now_ms)

    def new_silence(self, now_ms: int) -> int | None:
        """The same, once for each silence that lasts."""
        gap = self.silence(now_ms)
        if gap is None or gap < SILENT_AFTER_MS or self._is_told:
            return None
        self._is_told = True
        return gap
