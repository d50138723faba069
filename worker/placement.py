"""Which of the jobs that wait a worker takes: a pure decision on what it sees, the same for all, told to nobody.

Where a prompt's beginning lies in a worker's prompt cache the rest is read in a fraction of the time. So a job is left
for a moment to the worker that served its conversation, its home; who has a free seat takes its own first, then what
has waited longest for what it costs. docs/decisions/0014-placement.md says why just so.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.window import Waiting

# How much reading is begun at once: a job behind it would wait here while another worker may stand idle.
PREFILL_BUDGET_S = 0.25
# Before any prefill was measured; too low a guess would only make the first claims a little slow.
TOKENS_PER_S_GUESS = 2_000.0
# However much its home would save, a job waits no longer for it.
MOST_HOLD_S = 15.0
# Where others may be faster every job waits for this share of what reading it takes me: who is, or has read more of it
# before, comes first.
HOLD_SHARE = 0.1
# Jobs rank by (age + 10 s) / (seconds + 50 ms), these in steps. Without the first a new job would come last, however
# little it costs; without the others a token more or less would decide, and not who came first.
AGE_HEADSTART_S = 10.0
COST_STEP_S = 0.05
_MOST_COST_S = 1e6  # beyond there is no difference any more, and soon no number
# What a job counts for whose producer told no size: neither the cheapest of all nor the dearest.
UNTOLD_TOKENS = 1_000.0

# Whose turn it is, 8 : 3 : 1, and who comes after when nobody of that class can be taken. What was given back comes
# first of all; a class of any other name last.
WHEEL = ("hi", "hi", "hi", "std", "hi", "hi", "std", "hi", "hi", "std", "hi", "lo")
_ORDERS = tuple(tuple(dict.fromkeys(("re", turn, "hi", "std", "lo", ""))) for turn in WHEEL)
_CLASSES = frozenset(_ORDERS[0]) - {""}


class Me(NamedTuple):
    """The worker that decides."""

    id: str
    free_slots: int
    prefilling: bool  # what comes now would have to wait behind a prompt that is being read
    tokens_per_s: float  # how fast it reads prompts; 0: not measured yet
    cached: AbstractSet[str]  # the boundaries of its prompt cache
    turn: int = 0  # how many jobs it has taken


class Take(NamedTuple):
    """Take this one."""

    entry: str


class Look(NamedTuple):
    """Take nothing, and look again then: in seconds of Redis's clock, `inf`: when something has changed.

    As long as nothing changes an earlier look finds nothing either, and one at that time finds something.
    """

    again_at: float


class Takes(NamedTuple):
    """Take these, which may be none, and look again then."""

    entries: tuple[str, ...]
    look: Look


def choose(window: Sequence[Waiting], me: Me, now: float) -> Take | Look:
    """What to take now. The order of the window means nothing; equals are told apart by their entries."""
    return _choose(window, me, now, has_rival=True, is_last=lambda _: False)


class Limits(NamedTuple):
    """How much may be taken at one look."""

    most: int
    prefill_s: float = PREFILL_BUDGET_S  # of reading that may be begun
    no_other_is_free: bool = False  # to begin sooner what would have to wait here
    no_other_is_quicker: bool = False  # of those that are free, by far: then nothing is held for them
    aside_leaves: int = 0  # so many slots are not for what steps aside


def choose_several(window: Sequence[Waiting], me: Me, now: float, limits: Limits) -> Takes:
    """What to take at one look: as often as `choose` finds something, and there is prefill to spend.

    What would have to wait behind `prefill_s` of reading stays for whoever is free first, however long the last one
    taken is: a burst of short prompts is read together, a long one alone. Where no other is free, whatever can be taken
    is taken while there are slots, also by one that is prefilling: what is read together decodes together. Nothing is
    held for who might be faster where nobody is. Of its class a job beyond its tenant's share comes last.
    """
    has_rival = not (limits.no_other_is_free or limits.no_other_is_quicker)

    def choose_one(left: Sequence[Waiting], me: Me) -> Take | Look:
        return _choose(left, me, now, has_rival=has_rival, is_last=lambda job: job.is_beyond_share)

    return _several(window, me, now, limits, choose_one)


def first_come(window: Sequence[Waiting], me: Me, now: float, limits: Limits) -> Takes:
    """What a worker takes at one look that sees no difference between jobs but their classes and when they came."""
    return _several(window, me, now, limits, _first)


def _several(
    window: Iterable[Waiting],
    me: Me,
    now: float,
    limits: Limits,
    choose_one: Callable[[Sequence[Waiting], Me], Take | Look],
) -> Takes:
    left, taken, prefill_s = list(window), list[str](), limits.prefill_s
    while True:
        if me.free_slots <= limits.aside_leaves:
            left = [job for job in left if not job.steps_aside]
        is_spent = me.prefilling or prefill_s <= 0
        got = choose_one(left, me._replace(prefilling=is_spent and not limits.no_other_is_free))
        if isinstance(got, Look):
            return Takes(tuple(taken), got)
        if len(taken) >= limits.most:
            return Takes(tuple(taken), Look(now))
        job = left.pop(next(place for place, job in enumerate(left) if job.entry == got.entry))
        prefill_s -= _seconds(job, _cached_tokens(job, me.cached), me)
        taken.append(got.entry)
        me = me._replace(free_slots=me.free_slots - 1, turn=me.turn + 1)


def _first(window: Sequence[Waiting], me: Me) -> Take | Look:
    if me.free_slots > 0 and not me.prefilling:
        by_class = _by_class(window)
        for name in _ORDERS[me.turn % len(_ORDERS)]:
            if jobs := by_class.get(name):
                return Take(min(jobs, key=lambda job: (job.arrived, len(job.entry), job.entry)).entry)
    return Look(math.inf)


def _choose(
    window: Iterable[Waiting], me: Me, now: float, *, has_rival: bool, is_last: Callable[[Waiting], bool]
) -> Take | Look:
    if me.free_slots <= 0 or me.prefilling:
        return Look(math.inf)
    by_class = _by_class(window)
    hold_share = HOLD_SHARE if has_rival else 0.0
    again_at = math.inf
    for name in _ORDERS[me.turn % len(_ORDERS)]:
        best, held_until = _best(by_class.get(name, ()), me, now, hold_share=hold_share, is_last=is_last)
        if best is not None:
            return Take(best.entry)
        again_at = min(again_at, held_until)
    return Look(again_at)


def _by_class(window: Iterable[Waiting]) -> dict[str, list[Waiting]]:
    """Sort jobs by class; those of classes that are none of ours are one, named "" here."""
    by_class: dict[str, list[Waiting]] = {}
    for job in window:
        by_class.setdefault(job.cls if job.cls in _CLASSES else "", []).append(job)
    return by_class


class _Rank(NamedTuple):
    """The least is taken; told apart by more than cost, so that no two jobs are equal."""

    is_last: bool
    is_elsewhere: bool
    minus_ratio: float
    entry_length: int  # ids are numbers: of two of one moment the shorter is the older
    entry: str


def _best(
    jobs: Iterable[Waiting], me: Me, now: float, *, hold_share: float, is_last: Callable[[Waiting], bool]
) -> tuple[Waiting | None, float]:
    """Find the best of those that may be taken, and when the first of the others may be."""
    best: tuple[_Rank, Waiting] | None = None
    first_end = math.inf
    for job in jobs:
        cached = _cached_tokens(job, me.cached)
        seconds = _seconds(job, cached, me)
        end = job.arrived + _hold_s(job, cached, hold_share * seconds, me)
        # One that is yet to arrive, by a clock that was set back, would be held for as long as that: it is not held.
        if job.arrived <= now < end:
            first_end = min(first_end, end)
            continue
        ratio = (max(0.0, now - job.arrived) + AGE_HEADSTART_S) / _in_steps(seconds)
        rank = _Rank(is_last(job), job.home != me.id, -ratio, len(job.entry), job.entry)
        if best is None or rank < best[0]:
            best = rank, job
    return (best[1] if best else None), first_end


def _hold_s(job: Waiting, cached: int, hold: float, me: Me) -> float:
    if job.cls == "re":
        return 0.0  # it has waited before
    if job.home and job.home != me.id:
        hold = max(hold, (job.home_tokens - cached) / _tokens_per_s(me))
    return min(MOST_HOLD_S, hold)


def _seconds(job: Waiting, cached: int, me: Me) -> float:
    """How long I would read what I have not read of it."""
    tokens = job.tokens if job.tokens > 0 else UNTOLD_TOKENS
    return max(1.0, tokens - cached) / _tokens_per_s(me)


def _in_steps(seconds: float) -> float:
    """A cost as jobs are ranked by it: rounded up to a step, and one more."""
    return COST_STEP_S * (1 - -min(seconds, _MOST_COST_S) // COST_STEP_S)


def _tokens_per_s(me: Me) -> float:
    return me.tokens_per_s if me.tokens_per_s > 0 else TOKENS_PER_S_GUESS


def _cached_tokens(job: Waiting, cached: AbstractSet[str]) -> int:
    """Up to where I have read it before: its deepest boundary that I know."""
    for boundary, tokens in reversed(job.prefixes):
        if boundary in cached:
            return tokens
    return 0
