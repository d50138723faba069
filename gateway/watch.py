"""Watches all streams of the process for silence: pub/sub may lose the last event, which no later one reveals.

One watch for all of them. Whoever has been silent for 0.5 s, 1 s, 2 s … is asked about in one batched look a queue. A
record that is ahead of a stream proves no loss: what was published may be on its way still, and a gateway with much to
do lags. So the channels are heard first, up to where they were when it was looked; only what is missing then is read
from the log. That costs ten times what hearing does: a gateway that read for every lag would never catch up.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from shared.errors import Fault, PoolError
from shared.queue import Peek, Queue

from .relay import Relay

TICK_S = 0.1
JOBS_A_LOOK = 500

Fence = Callable[[], Awaitable[object]]  # returns once all is heard that was published before the call, or can't be


class _Ahead(NamedTuple):
    """A job whose record knows of more than its stream."""

    relay: Relay
    peek: Peek
    asked_at_seq: int


class Watch:
    """The streams that are open, and the task that watches them."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
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
        looking: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as looks:
            while True:
                await asyncio.sleep(TICK_S)
                now_s = loop.time()
                for relay in self._relays:
                    if relay.silence.sign_at <= now_s:
                        relay.nudge()
                if looking is None or looking.done():
                    looking = looks.create_task(self._look(now_s))

    async def _look(self, now_s: float) -> None:
        silent: defaultdict[Queue, list[Relay]] = defaultdict(list)
        for relay, queue in self._relays.items():
            if relay.silence.look_at <= now_s and relay.is_awaited:
                silent[queue].append(relay)
        if not silent:
            return
        ahead: list[_Ahead] = []
        async with asyncio.TaskGroup() as looks:  # together: a Redis that is away takes its time once, not each time
            for queue, relays in silent.items():
                for at in range(0, len(relays), JOBS_A_LOOK):
                    looks.create_task(_ask(queue, relays[at : at + JOBS_A_LOOK], ahead))
        if ahead:
            await self._fence()
            for relay, peek, seq in ahead:
                relay.on_peek(peek, seq)


async def _ask(queue: Queue, relays: list[Relay], ahead: list[_Ahead]) -> None:
    seqs = [relay.seq for relay in relays]
    try:
        peeks = await queue.peek([relay.job_id for relay in relays])
    except Fault:
        for relay in relays:
            relay.on_no_answer()
        return
    for relay, peek, seq in zip(relays, peeks, seqs, strict=True):
        if peek and peek.seq > relay.seq:
            ahead.append(_Ahead(relay, peek, seq))
        else:
            relay.on_peek(peek, seq)
