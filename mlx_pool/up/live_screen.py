"""The screen on a terminal: bars for what loads, lines for the rest. The only module that imports rich."""

import contextlib

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from .notice import Notice

_STYLES = {"note": "dim", "warning": "yellow", "error": "red"}


class LiveScreen:
    """A bar a part while it loads, above which lines scroll. Colours obey NO_COLOR, which rich reads itself."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._rows: dict[str, TaskID] = {}

    def say(self, text: str) -> None:
        """Print above the bars, long lines whole: they are there to be copied."""
        self._print(text)

    def show(self, part: str, notice: Notice) -> None:
        """Move the part's bar, or print what is no progress."""
        if notice.level != "progress":
            self._print(f"{part}: {notice.text}", _STYLES[notice.level])
            return
        with contextlib.suppress(OSError, ValueError):
            self._bars.start()
            if part not in self._rows:
                self._rows[part] = self._bars.add_task(part, total=None)
            total = None if notice.share is None else 1.0
            self._bars.update(
                self._rows[part], description=escape(f"{part}: {notice.text}"), completed=notice.share or 0, total=total
            )

    def settle(self) -> None:
        """Take the bars down."""
        with contextlib.suppress(OSError, ValueError):
            for row in self._rows.values():
                self._bars.remove_task(row)
            self._rows.clear()
            self._bars.stop()

    def _print(self, text: str, style: str | None = None) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._console.print(escape(text), style=style, soft_wrap=True)
