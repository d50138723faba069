"""What of a part's log is shown to the person at the terminal: plain decisions on lines.

The parts log JSON objects (`event`, `level`, fields), one a line. Most of it is for the file only.
"""

from typing import Literal

import msgspec

Level = Literal["progress", "note", "warning", "error"]
_LEVELS: dict[str, Level] = {"warning": "warning", "error": "error", "critical": "error"}


class Notice(msgspec.Struct, frozen=True):
    """One thing to show; `share` is how much of a work in progress is done, from 0 to 1, where that is known."""

    level: Level
    text: str
    share: float | None = None


class _Logged(msgspec.Struct, frozen=True):
    event: str = ""
    level: str = "info"
    progress: float | None = None
    # Whichever of these a line has says more than its event's name.
    message: str = ""
    error: str = ""
    reason: str = ""
    warning: str = ""
    last_words: str = ""
    note: str = ""  # what is for the person to know, though nothing is wrong

    @property
    def text(self) -> str:
        detail = self.message or self.error or self.reason or self.warning or self.last_words or self.note
        event = self.event.replace("_", " ")
        return detail if self.progress is not None else ": ".join(part for part in (event, detail) if part)


_LOGGED = msgspec.json.Decoder(_Logged)


def notice_of(line: str) -> Notice | None:
    """Choose what a log line shows; None for what belongs in the file alone."""
    logged = _logged(line)
    if logged is None:
        return None
    if level := _LEVELS.get(logged.level):
        return Notice(level, logged.text)
    if logged.progress is not None or logged.event.endswith("loading"):
        return Notice("progress", logged.text, logged.progress)
    return Notice("note", logged.text) if logged.note else None


def words_of(line: str) -> str:
    """Give a log line's words, for the one line that says why a part ended."""
    logged = _logged(line)
    return line.strip() if logged is None else logged.text


def _logged(line: str) -> _Logged | None:
    try:
        return _LOGGED.decode(line)
    except msgspec.DecodeError:
        return None


def is_worth_a_line(shown: Notice | None, notice: Notice) -> bool:
    """Tell whether a progress is news for a reader of plain lines: a new work, or a tenth more of the old one."""
    if shown is None or shown.text != notice.text:
        return True
    if notice.share is None or shown.share is None:
        return notice.share != shown.share
    return notice.share - shown.share >= 0.1 or (notice.share >= 1 > shown.share)
