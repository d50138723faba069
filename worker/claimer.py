"""From the queue to the book: looks at what waits, takes what is for this worker, and knows when to look again."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from shared.claims import Claimed, Claims, Doorbell, LeaseLost
from shared.errors import Fault
from shared.window import Window

from .admission import Load, Place, Wish, has_room, wish
from .placement import Me
from .presence import Tally

# A class may hold an entry that only time makes mine to take (given back by this host, a suspect): look again.
DOORBELL_MS = 1_000
YIELD_MS = 100  # what was left for another worker may still lie there: its news of free slots was old
AFTER_FAULT_S = 0.2


class Holder(Protocol):
    """Who runs what is taken."""

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds that changes with what is held."""
        ...

    def touch(self) -> None:
        """Let those that wait look again."""
        ...


class Claimer:
    """Takes jobs for one incarnation."""

    def __init__(
        self,
        claims: Claims,
        doorbell: Doorbell,
        holder: Holder,
        *,
        load: Callable[[], Load | None],
        begin: Callable[[Claimed], Awaitable[None]],
        place: Place,
        tally: Tally,
    ) -> None:
        """`load` tells what is held, None where nothing may be taken; `begin` starts what was taken."""
        self.is_taking = False  # jobs are on their way that nobody holds yet
        self._claims = claims
        self._doorbell = doorbell
        self._holder = holder
        self._load = load
        self._begin = begin
        self._place = place
        self._tally = tally
        self._turn = 0

    async def run(self) -> None:
        """Take what fits, for as long as the lease lives.

        Raises:
            LeaseLost: the pool has buried this incarnation.

        """
        while True:
            await self._holder.until(self._has_room)
            try:
                await self._look()
            except LeaseLost:
                raise
            except Fault:
                await asyncio.sleep(AFTER_FAULT_S)

    def _has_room(self) -> bool:
        load = self._load()
        return load is not None and has_room(load)

    async def _look(self) -> None:
        window = await self._claims.look()
        self._tally.looks += 1
        load = self._load()
        if load is None or not has_room(load):
            return
        wanted = wish(window, load, self._me(load), self._place)
        if wanted.entries:
            await self._take(wanted, {job.entry: job.home for job in window.waiting})
        elif window.waiting and not wanted.yields:
            began_s = time.monotonic()
            await self._wait(wanted, window)
            self._tally.held_s += time.monotonic() - began_s
        else:
            await self._wait(wanted, window)

    async def _take(self, wanted: Wish, homes: Mapping[str, str]) -> None:
        self.is_taking = True
        try:
            for claimed in await self._claims.take(wanted.entries, wanted.spare):
                self._turn += 1
                self._tally.claimed(home=homes.get(claimed.entry, ""), me=self._claims.worker_id)
                self._tally.waits.add(claimed, time.monotonic())
                await self._begin(claimed)
        finally:
            self.is_taking = False
            self._holder.touch()

    async def _wait(self, wanted: Wish, window: Window) -> None:
        most_ms = YIELD_MS if wanted.yields else DOORBELL_MS
        timeout_ms = max(1, math.ceil(min(most_ms, (wanted.again_at_s - window.now_s) * 1_000)))
        await self._doorbell.wait(window.behind, timeout_ms)

    def _me(self, load: Load) -> Me:
        return Me(
            id=self._claims.worker_id,
            free_slots=load.slots - load.held,
            prefilling=load.is_prefilling,
            tokens_per_s=load.prefill_tokens_per_second,
            cached=load.cached,
            turn=self._turn,
        )
