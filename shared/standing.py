"""Where a waiting job stands among all that wait for the same workers. Decided on values alone."""

from collections.abc import Mapping
from typing import NamedTuple

SHARES = {"hi": 8, "std": 3, "lo": 1}  # of twelve turns; the wheel of `worker/placement.py`


class Place(NamedTuple):
    """A waiting job's class, `re` or `sus` where it was given back, and how many jobs are served before it, about."""

    job_class: str
    before: int


def jobs_before(job_class: str, before: int, waiting: Mapping[str, int]) -> int:
    """How many jobs are served first, where so many of its class stand before it and so many of each class wait.

    What was given back goes before all; suspects come last; the other classes share.
    """
    others = max(0, sum(waiting.values()) - 1)
    if job_class == "re":
        return min(before, others)
    if job_class not in SHARES:
        return others
    turns = before + 1
    rivals = [name for name in SHARES if name != job_class]
    passing = sum(min(waiting.get(name, 0), turns * SHARES[name] // SHARES[job_class]) for name in rivals)
    return min(waiting.get("re", 0) + before + passing, others)


def jobs_before_new(job_class: str, waiting: Mapping[str, int]) -> int:
    """How many jobs are served before one of this class that comes now, where so many of each class wait."""
    before = waiting.get(job_class, 0)
    return jobs_before(job_class, before, {**waiting, job_class: before + 1})
