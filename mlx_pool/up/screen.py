"""What `up` shows while it works: a live picture on a terminal, plain lines elsewhere.

Everything goes to stderr. A terminal that has gone away is no reason to stop: what can't be shown is not shown.
"""

import contextlib
import sys
from typing import Protocol

from .notice import Notice, is_worth_a_line


class Screen(Protocol):
    """Where `up` speaks."""

    def say(self, text: str) -> None:
        """Show a line, or a few, that stay."""
        ...

    def show(self, part: str, notice: Notice) -> None:
        """Show what a part tells of itself."""
        ...

    def settle(self) -> None:
        """Take down what only moved while the pool was starting, or stop for good."""
        ...


class PlainScreen:
    """One line a thing, for logs, pipes and people who want it so."""

    def __init__(self) -> None:
        self._progress: dict[str, Notice] = {}

    def say(self, text: str) -> None:
        """Print it."""
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)  # noqa: T201 -- the command's own voice

    def show(self, part: str, notice: Notice) -> None:
        """Print it; of a progress only what is news."""
        if notice.level == "note":
            self.say(f"{part}: {notice.text}")
        elif notice.level != "progress":
            self.say(f"{part}: {notice.level}: {notice.text}")
        elif is_worth_a_line(self._progress.get(part), notice):
            self._progress[part] = notice
            share = "" if notice.share is None else f" {notice.share:.0%}"
            self.say(f"{part}: {notice.text}{share}")

    def settle(self) -> None:
        """Leave what is printed."""


def choose_screen() -> Screen:
    """Give the live screen on a terminal, else the plain one."""
    if not sys.stderr.isatty():
        return PlainScreen()
    from .live_screen import LiveScreen  # noqa: PLC0415 -- rich is only paid for on a terminal

    return LiveScreen()
