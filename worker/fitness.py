"""When a worker takes itself out of service: its engine keeps dying, and not under one job only.

A job that ends engines is poison, and the queue isolates it. An engine that dies under one job after another is a sick
machine, which would drag every job it claims through a restart. Pure: deaths and a clock in, a verdict out.
"""

from collections.abc import Sequence

import msgspec

WINDOW_MS = 10 * 60_000
DEATHS = 3
REST_MS = 2 * 60_000


class EngineDeath(msgspec.Struct, frozen=True):
    """An engine's death under jobs; `jobs` are those that it ran."""

    at_ms: int
    jobs: frozenset[str]


def rests_until(deaths: Sequence[EngineDeath], now_ms: int) -> int | None:
    """Until when to claim nothing; None for a machine that is fit.

    Three deaths in ten minutes that no single job was part of; each further one begins the rest anew. Deaths of an idle
    or a loading engine don't count: those cost no job anything.
    """
    recent = [death for death in deaths if death.jobs and now_ms - death.at_ms < WINDOW_MS]
    if len(recent) < DEATHS or frozenset.intersection(*(death.jobs for death in recent)):
        return None
    until_ms = recent[-1].at_ms + REST_MS
    return until_ms if now_ms < until_ms else None
