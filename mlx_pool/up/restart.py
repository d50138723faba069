"""What to do about a part that ended though nobody asked it to: plain decisions on values."""

import msgspec

FIRST_DELAY_MS = 500
LONGEST_DELAY_MS = 30_000
# A part that ran this long was healthy: what ended it is a new trouble, and the back-off begins anew.
HEALTHY_MS = 60_000
USAGE = 2


class Exit(msgspec.Struct, frozen=True):
    """How a part ended: its exit code (negative: the signal that killed it) and for how long it had run."""

    code: int
    lived_ms: int


class Restart(msgspec.Struct, frozen=True):
    """Start it again after a pause; `deaths` counts those in a row."""

    after_ms: int
    deaths: int


class GiveUp(msgspec.Struct, frozen=True):
    """Don't start it again: it said that its flags can't work, and they won't change by themselves."""


def after_exit(exit_: Exit, deaths: int) -> Restart | GiveUp:
    """Decide what follows an exit, after `deaths` earlier ones in a row."""
    if exit_.code == USAGE:
        return GiveUp()
    in_a_row = 1 if exit_.lived_ms >= HEALTHY_MS else deaths + 1
    delay_ms = min(FIRST_DELAY_MS << min(in_a_row - 1, 16), LONGEST_DELAY_MS)
    return Restart(after_ms=delay_ms, deaths=in_a_row)


def in_words(exit_: Exit) -> str:
    """Say how a part ended, for people."""
    return f"was killed by signal {-exit_.code}" if exit_.code < 0 else f"ended with exit code {exit_.code}"
