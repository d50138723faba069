"""Standing by: a worker that has not loaded its model watches the queue, and says when the model is wanted here.

It costs Redis next to nothing where nothing waits; the workers are asked for only where something does.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from shared.claims import Claims, Doorbell, LeaseLost
from shared.errors import Fault
from shared.queue import Queue
from shared.window import Window

from .demand import Begun, Later, Me, Need, begun, decide, need_of
from .stand import Stand

# Only time makes some entries mine to take; who stands by can wait a little longer for that.
SLOW_BELL_MS = 5_000
# So often at most where somebody else serves the queue: then it is for nobody's sake that I look.
LOOK_EVERY_S = 0.5
AFTER_FAULT_S = 0.2


class Holder(Protocol):
    """Who knows whether the model is loaded."""

    def until(self, holds: Callable[[], bool]) -> Awaitable[None]:
        """Wait until a condition holds that changes with what is held."""
        ...


class Standby:
    """Wants the model for one incarnation, while it stands by."""

    def __init__(
        self,
        claims: Claims,
        doorbell: Doorbell,
        queue: Queue,
        holder: Holder,
        stand: Stand,
        *,
        stands_by: Callable[[], bool],
    ) -> None:
        self._claims = claims
        self._doorbell = doorbell
        self._queue = queue
        self._holder = holder
        self._stand = stand
        self._stands_by = stands_by
        self._need: Need = "none"
        self._needed_since_s = 0.0
        self._begun: Begun = {}

    async def run(self) -> None:
        """Watch for ever, while the model is not loaded.

        Raises:
            LeaseLost: the pool has buried this incarnation.

        """
        while True:
            await self._holder.until(self._stands_by)
            try:
                await self._watch()
            except LeaseLost:
                raise
            except Fault:
                await asyncio.sleep(AFTER_FAULT_S)

    async def _watch(self) -> None:
        window = await self._claims.look()
        if not self._stands_by():
            return
        oldest_s = _oldest_s(window)
        if oldest_s is None:
            self._note("none")
            self._begun = {}
            self._stand.want("none")
            if window.another_is_free:
                await asyncio.sleep(LOOK_EVERY_S)
            await self._doorbell.wait(window.behind, SLOW_BELL_MS)
            return
        after_s = await self._decide(oldest_s, _kept_from(window) - {self._claims.host})
        await asyncio.sleep(min(LOOK_EVERY_S, max(0.01, after_s)))

    async def _decide(self, oldest_s: float, kept_from: Collection[str]) -> float:
        """Want it or not; returns when to decide anew."""
        survey, now_s = await self._queue.survey(), time.monotonic()
        me = Me(self._claims.worker_id, self._stand.load_s, self._stand.is_making_room)
        self._begun = begun(self._begun, survey, now_s)
        lasting_s = {each: now_s - since_s for each, since_s in self._begun.items()}
        need = need_of(survey, oldest_s, me, kept_from=kept_from, lasting_s=lasting_s)
        self._note(need)
        decided = decide(need, now_s - self._needed_since_s, survey, me)
        # Once it is wanted here it stays so: making room may take longer than others would have taken.
        if isinstance(decided, Later) and not (self._stand.is_wanted and need != "none"):
            self._stand.want("none")
            return decided.after_s
        self._stand.want(need)
        return math.inf

    def _note(self, need: Need) -> None:
        if need != self._need:
            self._need, self._needed_since_s = need, time.monotonic()


def _oldest_s(window: Window) -> float | None:
    """For how long the oldest job has waited that this worker could take; None where there is none."""
    if window.waiting:
        return max(0.0, window.now_s - min(job.arrived for job in window.waiting))
    return 0.0 if window.suspect else None


def _kept_from(window: Window) -> set[str]:
    """The hosts that should not take one of the jobs that wait, since they gave it back."""
    return {job.not_on for job in window.waiting if job.not_on} | ({window.suspect_not_on} - {""})
