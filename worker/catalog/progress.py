"""Progress of a long work: what is being done, and how much of it, from 0 to 1, where that is known; and showing it."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

import msgspec

Progress = Callable[[str, float | None], None]
Style = Literal["bar", "lines", "json"]


def untold(message: str, done: float | None) -> None:
    """Take progress that nobody reads."""


@contextmanager
def shown(style: Style) -> Generator[Progress]:
    """Give a place to report progress to: a bar or lines on stderr for people, JSON lines on stdout for programs."""
    if style != "bar":
        yield _json if style == "json" else _Lines()
        return
    # Help and lists do not pay for these.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda message, done: bar.update(
            task, description=message, total=1.0 if done is not None else None, completed=done or 0
        )


class _Lines:
    """One line for each new message, and for each further tenth of it."""

    def __init__(self) -> None:
        self._last = ("", -1)

    def __call__(self, message: str, done: float | None) -> None:
        tenth = int((done or 0.0) * 10)
        if (message, tenth) == self._last:
            return
        self._last = (message, tenth)
        print(message if done is None else f"{message}: {done:.0%}", file=sys.stderr, flush=True)  # noqa: T201 -- the command's voice


def _json(message: str, done: float | None) -> None:
    line = msgspec.json.encode({"status": "loading", "message": message, "progress": done})
    print(line.decode(), flush=True)  # noqa: T201 -- the command's voice
