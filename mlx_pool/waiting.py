"""The line that tells how a question waits, on a terminal; it is gone when the question's turn has come."""

import math
from typing import Final, TextIO

from shared.event import Queued

_LONG_S: Final = 120  # from there on minutes are told


class WaitingLine:
    """Rewrites itself, and leaves nothing behind; where there is no terminal nothing is written at all."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._width = 0  # of what stands there

    def show(self, queued: Queued) -> None:
        """Put the news in place of the last."""
        if self._out.isatty():
            self.erase()
            text = line_of(queued)
            self._width = len(text)
            self._write(text)

    def erase(self) -> None:
        """Take it away; the cursor is where the line began."""
        if self._width:
            # Blanks and not an escape sequence: there are terminals that know none.
            self._write(f"\r{' ' * self._width}\r")
            self._width = 0

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def line_of(queued: Queued) -> str:
    """Say how many are served before, and how long that takes, if anyone knows; ASCII, so a column a character.

    While the model is loaded that is what is waited for.
    """
    place = f"{queued.waiting} before you" if queued.waiting else "you are next"
    if queued.loading is not None:
        return f"{place}, the model is loading ({queued.loading:.0%})"
    if queued.expected_wait_ms is None:
        return place
    seconds = max(1, math.ceil(queued.expected_wait_ms / 1_000))
    return f"{place}, about {seconds} s" if seconds < _LONG_S else f"{place}, about {round(seconds / 60)} min"
