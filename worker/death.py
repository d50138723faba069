"""An engine's death as the agent hears of it, and how soon after it the next engine starts. Pure."""

from collections.abc import Sequence

import msgspec

FIRST_DELAY_MS = 100
MAX_DELAY_MS = 30_000
STABLE_MS = 60_000  # a run of so long makes the deaths before it history


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an engine that nobody asked to stop; a generation that it ran ended with it.

    `last_words` is the engine's own `error` where it refused to start, else the last lines of its stderr.
    """

    exit_code: int | None
    signal: int | None
    last_words: str
    while_loading: bool
    fatal: bool  # the same command would end the same way: there is no restart
    killed_for: str = ""  # the reason given to `kill`


def restart_delay_ms(deaths: Sequence[int], now_ms: int) -> int:
    """Return how long to wait from now until the next start, given when the engine died, oldest first.

    Quick after a first death, doubling with each further one up to 30 s; deaths that were followed by a stable minute
    don't count.
    """
    if not deaths:
        return 0
    in_a_row = 1
    while in_a_row < len(deaths) and deaths[-in_a_row] - deaths[-in_a_row - 1] < STABLE_MS:
        in_a_row += 1
    delay_ms = min(FIRST_DELAY_MS << (in_a_row - 1), MAX_DELAY_MS)
    return max(0, deaths[-1] + delay_ms - now_ms)
