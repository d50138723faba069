"""A line of a part's log, as a person reads it: plain functions on values.

Gateway and workers log JSON objects; what a broker or a crash wrote stays, but for what would steer a terminal.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from mlx_pool.terminal import Colour, Ink, clean

Level = Literal["debug", "info", "warning", "error"]
_RANKS: Final[dict[str, int]] = {"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 3}
_COLOURS: Final[dict[str, Colour]] = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red"}
_OWN: Final = ("timestamp", "level", "event")
_BROKER: Final = re.compile(r"\d+:[A-Z] (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d)\.(\d{3}) ")
# Not strptime's %b, which is another language's where the machine speaks one.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST: Final = 2_000


class LogLine(msgspec.Struct, frozen=True):
    """One line: which part wrote it, when if it says so, how grave it is, and its words."""

    part: str
    raw: str
    at: str = ""  # ISO, UTC; "" where the line does not tell
    level: str = "info"
    event: str = ""
    fields: dict[str, Any] = {}


def read_line(part: str, raw: str) -> LogLine:
    """Read a line as it stands in a part's file."""
    try:
        told = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        return LogLine(part, raw, _broker_time(raw))
    fields = {name: value for name, value in told.items() if name not in _OWN}
    at, level, event = (str(told.get(name, "")) for name in _OWN)
    return LogLine(part, raw, at, level or "info", event, fields)


def is_at_least(line: LogLine, level: Level) -> bool:
    """Tell whether a line is that grave; one without a level counts as information."""
    return _RANKS.get(line.level, 1) >= _RANKS[level]


def drawn(line: LogLine, ink: Ink, *, width: int) -> str:
    """Draw a line for a person; `width` is that of the part's column."""
    head = f"{_clock(line.at):<12} {line.part:<{width}}"
    if not line.event:
        return f"{head} {clean(line.raw)[:_LONGEST]}"
    told = " ".join(f"{name}={_value(value)}" for name, value in line.fields.items())
    words = f"{clean(line.event)}{' ' if told else ''}{told}"[:_LONGEST]
    return f"{ink.paint(head, 'dim')} {ink.paint(words, _COLOURS.get(line.level, 'plain'))}"


def as_json(line: LogLine) -> str:
    """Give a line for programs: what was logged, and by which part; what is no object, as `line`."""
    if not line.event and not line.fields:
        return msgspec.json.encode({"part": line.part, "line": line.raw}).decode()
    told = {"part": line.part, "timestamp": line.at, "level": line.level, "event": line.event, **line.fields}
    return msgspec.json.encode(told).decode()


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return clean(text if text and " " not in text else f'"{text}"')


def _broker_time(raw: str) -> str:
    """The time of a line as Redis and Valkey log it, `PID:M 23 Nov 2026 02:49:41.090 * …`, in the machine's zone."""
    found = _BROKER.match(raw)
    if found is None or found[2] not in _MONTHS:
        return ""
    day, year, hour, minute, second, milli = (int(found[group]) for group in (1, 3, 4, 5, 6, 7))
    month, micro = _MONTHS.index(found[2]) + 1, milli * 1_000
    try:
        moment = datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001 -- in the machine's own zone
    except ValueError:
        return ""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _clock(at: str) -> str:
    """The time of day here, or nothing."""
    try:
        moment = datetime.fromisoformat(at).astimezone()
    except ValueError:
        return ""
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1_000:03d}"
