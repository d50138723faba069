"""The ways to choose that are compared."""

import math
from collections.abc import Callable, Sequence

from shared.window import Waiting
from worker.placement import Look, Me, Take, choose

Rule = Callable[[Sequence[Waiting], Me, float], Take | Look]


def oldest_first(window: Sequence[Waiting], me: Me, now: float) -> Take | Look:
    """Take the oldest job that waits, unless a prompt is being read: what a claim did before there was placement."""
    del now
    if not window or me.free_slots <= 0 or me.prefilling:
        return Look(math.inf)
    return Take(min(window, key=lambda job: job.arrived).entry)


def without_homes(window: Sequence[Waiting], me: Me, now: float) -> Take | Look:
    """Choose by what one has read oneself, and wait for nobody who may have read more."""
    return choose([job._replace(home="") for job in window], me, now)


RULES: dict[str, Rule] = {"oldest first": oldest_first, "without homes": without_homes, "placement": choose}
