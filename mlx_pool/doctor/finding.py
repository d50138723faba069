"""What a check has found: good, or to be looked at, or wrong; in one sentence, with what to do about it."""

from typing import Literal

import msgspec

Level = Literal["ok", "warn", "bad"]


class Finding(msgspec.Struct, frozen=True):
    """One line of the doctor's. `bad` is what loses jobs, opens doors or keeps the pool from working."""

    level: Level
    about: str
    told: str
    advice: str = ""


def ok(about: str, told: str) -> Finding:
    """Find something in order."""
    return Finding("ok", about, told)


def warn(about: str, told: str, advice: str) -> Finding:
    """Find something that works, but not as well as it could."""
    return Finding("warn", about, told, advice)


def bad(about: str, told: str, advice: str) -> Finding:
    """Find something wrong."""
    return Finding("bad", about, told, advice)
