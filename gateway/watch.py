"""Watches all streams of the process for silence: pub/sub may lose the last event, which no later one reveals.

One task for all of them. Whoever has been silent for 0.5 s, 1 s, 2 s … is asked about in one batched look a queue.
"""

import asyncio
from collections import defaultdict

from shared.errors import Fault, PoolError
from shared.queue import Queue

from .relay import Relay

TICK_S = 0.1
NUDGE_EVERY_S = 10.0
JOBS_A_LOOK = 500


class Watch:
    """The streams that are open, and the task that watches them."""

    def __init__(self) -> None:
        self._relays: dict[Relay, Queue] = {}

    def add(self, queue: Queue, relay: Relay) -> None:
        """Watch a stream."""
        self._relays[relay] = queue

    def discard(self, relay: Relay) -> None:
        """Watch it no longer."""
        self._relays.pop(relay, None)

    def __len__(self) -> int:
        return len(self._relays)

    def fail_all(self, error: PoolError) -> None:
        """End every stream with this error."""
        for relay in self._relays:
            relay.fail(error)

    async def run(self) -> None:
        """Watch, for ever."""
        loop = asyncio.get_running_loop()
        nudged_at = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            await self._look(now_s)
            if now_s - nudged_at >= NUDGE_EVERY_S:
                nudged_at = now_s
                for relay in self._relays:
                    relay.nudge()

    async def _look(self, now_s: float) -> None:
        silent: defaultdict[Queue, list[Relay]] = defaultdict(list)
        for relay, queue in self._relays.items():
            if relay.is_silent(now_s):
                silent[queue].append(relay)
        for queue, relays in silent.items():
            for at in range(0, len(relays), JOBS_A_LOOK):
                await _ask(queue, relays[at : at + JOBS_A_LOOK])


async def _ask(queue: Queue, relays: list[Relay]) -> None:
    seqs = [relay.seq for relay in relays]
    try:
        peeks = await queue.peek([relay.job_id for relay in relays])
    except Fault:
        for relay in relays:
            relay.on_no_answer()
        return
    for relay, peek, seq in zip(relays, peeks, seqs, strict=True):
        relay.on_peek(peek, seq)
