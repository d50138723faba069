"""When an agent takes jobs: only what it can begin soon. The rest stays in the queue, for whoever is free first.

Which of the jobs is decided in `placement`.
"""

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from shared.window import Waiting, Window

from .placement import PREFILL_BUDGET_S, TOKENS_PER_S_GUESS, Limits, Me, Takes, choose_several

Place = Callable[[Sequence[Waiting], Me, float, Limits], Takes]

# So many may stand in for those that another worker was quicker to take: many who rank alike want the same.
SPARE = 4
# Who reads by so much faster is worth waiting for; measured paces of equal machines differ by less.
QUICKER = 1.5
ASIDE_LEAVES = 4  # one seat in so many is not for what steps aside: who comes in person finds one free


class Load(msgspec.Struct, frozen=True):
    """What a worker holds: `prefill_tokens` are prompt tokens still to be computed before their first token.

    Those of prompts that step aside for others are counted apart.
    """

    slots: int
    held: int
    prefill_tokens: int
    prefill_tokens_per_second: float
    aside_prefill_tokens: int = 0
    holds_suspect: bool = False
    is_short_of_memory: bool = False
    cached: AbstractSet[str] = frozenset()  # what the engine's prompt cache serves, by hash

    @property
    def prefill_s(self) -> float:
        """How long what is held still reads before it reads a new job's prompt."""
        return self.prefill_tokens / (self.prefill_tokens_per_second or TOKENS_PER_S_GUESS)

    @property
    def aside_prefill_s(self) -> float:
        """How long before it reads a new one that steps aside, too."""
        return self.prefill_s + self.aside_prefill_tokens / (self.prefill_tokens_per_second or TOKENS_PER_S_GUESS)

    @property
    def is_prefilling(self) -> bool:
        """Whether another job would have to wait behind what is held."""
        return self.prefill_s >= PREFILL_BUDGET_S


class Wish(msgspec.Struct, frozen=True):
    """What to take now; where nothing, when to look again at the latest."""

    entries: list[str] = []
    spare: list[str] = []  # for those of them that cannot be had any more
    again_at_s: float = math.inf  # Redis time
    yields: bool = False  # something may wait that was left for another worker


def has_room(load: Load) -> bool:
    """Whether to look at all. A suspect runs alone; an engine that is short of memory gets no second job."""
    return load.held < load.slots and not load.holds_suspect and not (load.is_short_of_memory and load.held)


def wish(window: Window, load: Load, me: Me, place: Place = choose_several) -> Wish:
    """Decide what of the window to take; `has_room` holds.

    A job behind a long prefill would wait here while another worker stands idle: then only if none does, since a batch
    that is read together ends sooner than one that trickles in. An engine that is short of memory gets a job only if
    nobody has more room: it is always tried. A suspect is taken by who is empty, and who has to make room for one takes
    nothing else.
    """
    if window.is_suspect_due:
        return Wish([] if load.held else [window.suspect])
    yields = window.another_is_free and (load.is_prefilling or load.is_short_of_memory)
    if yields:
        return Wish(yields=True)
    most = 1 if load.is_short_of_memory else load.slots - load.held
    limits = Limits(
        most,
        PREFILL_BUDGET_S - load.prefill_s,
        no_other_is_free=not window.another_is_free,
        no_other_is_quicker=0 < window.others_read_per_s <= QUICKER * me.tokens_per_s,
        aside_leaves=load.slots // ASIDE_LEAVES,
    )
    waiting = window.waiting
    if load.aside_prefill_s >= PREFILL_BUDGET_S and window.another_is_free:
        waiting = [job for job in waiting if not job.steps_aside]
    takes = place(waiting, me, window.now_s, limits)
    if not takes.entries and window.suspect and not load.held:
        return Wish([window.suspect])
    left = _left_of_their_classes(waiting, takes.entries)
    spare = place(left, me._replace(free_slots=SPARE), window.now_s, limits._replace(most=SPARE))
    return Wish(list(takes.entries), list(spare.entries), takes.look.again_at)


def _left_of_their_classes(waiting: Sequence[Waiting], entries: Sequence[str]) -> list[Waiting]:
    classes = {job.cls for job in waiting if job.entry in entries}
    return [job for job in waiting if job.cls in classes and job.entry not in entries]
