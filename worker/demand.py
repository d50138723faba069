"""Whether a worker loads a model that it has not loaded: a pure decision on what waits and who else is there.

Whoever can load it soonest does, and nobody tells anybody: all who could see the same workers, and each finds its own
place among them. docs/decisions/0015-several-models.md says why just so.
"""

import math
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from shared.survey import Survey, WorkerView

# urgent: nobody serves this queue. relief: somebody does, but what waits would wait longer than loading takes.
Need = Literal["none", "relief", "urgent"]

# A burst that is gone in a moment is no reason to load.
SETTLE_S = 1.0
# So long after one that is quicker should have begun, its beat tells that it has.
GRACE_S = 1.0
# However much quicker another one said to be, it is not waited for any longer.
MOST_HOLD_S = 15.0
# Of one that loads and has not told how long that takes, since it never has.
LOAD_S_GUESS = 10.0
# One that loads, or makes room, for far longer than it said may never be ready.
OVERDUE_FACTOR, OVERDUE_S = 3.0, 5.0

# By worker and what it does: since when it was seen to load, or to make room.
Begun = Mapping[tuple[str, str], float]


class Me(NamedTuple):
    """The worker that decides."""

    id: str
    load_s: float  # what it tells the others: how soon it could serve
    is_making_room: bool = False  # as it tells the others, too


class Load(NamedTuple):
    """Load it now."""


class Later(NamedTuple):
    """Load nothing, and decide anew after so long, if nothing has changed before; `inf`: there is no need."""

    after_s: float


def begun(before: Begun, survey: Survey, now_s: float) -> Begun:
    """Since when each that loads now, or makes room, has been seen to."""
    seen = [(worker.id, worker.state) for worker in survey.live_workers if _is_coming(worker)]
    return {each: before.get(each, now_s) for each in seen}


def need_of(
    survey: Survey,
    oldest_s: float | None,
    me: Me,
    *,
    kept_from: Collection[str] = (),
    lasting_s: Mapping[tuple[str, str], float] | None = None,
) -> Need:
    """Whether one more is needed. `oldest_s` is the age of the oldest job that I could take; None where none waits.

    `kept_from` are hosts that should not take one of these jobs, each another one; `lasting_s` is for how long those
    that are `begun` have been.
    """
    if oldest_s is None:
        return "none"
    lasting_s = lasting_s or {}
    others = [worker for worker in survey.live_workers if worker.id != me.id]
    coming = [worker for worker in others if _is_coming(worker) and not _is_overdue(worker, lasting_s)]
    first = [worker for worker in coming if _comes_before(worker, me)]
    serving = [*first, *(worker for worker in others if worker.is_ready)]
    # Free seats are none for a job that is to run elsewhere.
    if any(all(worker.host == host for worker in serving) for host in (None, *kept_from)):
        return "urgent"
    # One at a time: who loads already may be all that it takes.
    is_loading = any(worker.state == "loading" for worker in coming)
    if first or is_loading or survey.free_slots or oldest_s < SETTLE_S:
        return "none"
    return "relief" if _last_waits_s(survey, oldest_s) > me.load_s else "none"


def decide(need: Need, needed_s: float, survey: Survey, me: Me) -> Load | Later:
    """Load, or leave it to who is sooner. `needed_s` is for how long I have seen this need."""
    if need == "none":
        return Later(math.inf)
    sooner = [worker.load_s for worker in survey.live_workers if _is_sooner(worker, me)]
    if not sooner:
        return Load()
    hold_s = min(MOST_HOLD_S, max(GRACE_S * len(sooner), me.load_s - min(sooner)))
    return Load() if needed_s >= hold_s else Later(hold_s - needed_s)


def _is_sooner(worker: WorkerView, me: Me) -> bool:
    return worker.is_standing_by and worker.id != me.id and (worker.load_s, worker.id) < (me.load_s, me.id)


def _ready_in_s(worker: WorkerView) -> float:
    return (worker.load_s or LOAD_S_GUESS) * (1 - min(1.0, max(0.0, worker.progress)))


def _is_coming(worker: WorkerView) -> bool:
    return worker.state == "loading" or worker.is_making_room


def _comes_before(worker: WorkerView, me: Me) -> bool:
    """Whether I leave it to one that comes. Of two that both make room the other one goes on as it was."""
    if worker.state == "loading":
        return _ready_in_s(worker) <= me.load_s
    if me.is_making_room:
        return _is_sooner(worker, me)
    return worker.load_s <= me.load_s


def _is_overdue(worker: WorkerView, lasting_s: Mapping[tuple[str, str], float]) -> bool:
    """Whether it takes so long that it is waited for in vain."""
    most_s = (worker.load_s or LOAD_S_GUESS) * OVERDUE_FACTOR + OVERDUE_S
    return lasting_s.get((worker.id, worker.state), 0.0) > most_s


def _last_waits_s(survey: Survey, oldest_s: float) -> float:
    """How long the last that waits will wait; where no job has ended of late, as long as the first one has."""
    wait_ms = survey.wait_ms_behind(max(0, survey.waiting_total - 1))
    return oldest_s if wait_ms is None else wait_ms / 1_000
