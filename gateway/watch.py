"""Watches all streams of the process for silence: pub/sub may lose the last event, which no later one reveals.

One watch for all of them. Whoever has been silent for 0.5 s, 1 s, 2 s … is asked about in one batched look a queue. A
record that is ahead of a stream proves no loss: what was published may be on its way still, and a gateway with much to
do lags. So the channels are heard first, up to where they were when it was looked; only what is missing then is read
from the log. That costs ten times what hearing does: a gateway that read for every lag would never catch up.

Nor is each stream visited at each tick, which would cost more than ten thousand slow streams say: at the tick when it
is due, as far as that is known, and at least twice a second, since what it hears may make it due sooner.
"""

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from shared.errors import Fault, PoolError
from shared.queue import Peek, Queue

from .relay import Relay

TICK_S = 0.1
VISIT_TICKS = 5  # between two visits at most
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
        # Whom to visit at this tick and at those that come.
        self._visits: deque[list[Relay]] = deque([] for _ in range(VISIT_TICKS + 1))

    def add(self, queue: Queue, relay: Relay) -> None:
        """Watch a stream."""
        self._relays[relay] = queue
        self._visits[VISIT_TICKS].append(relay)

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
        last_s = loop.time()
        async with asyncio.TaskGroup() as looks:
            while True:
                await asyncio.sleep(TICK_S)
                now_s = loop.time()
                silent = self._visit(now_s, ticks=min(VISIT_TICKS, max(1, round((now_s - last_s) / TICK_S))))
                last_s = now_s
                if silent and (looking is None or looking.done()):
                    looking = looks.create_task(_look(silent, self._fence))

    def _visit(self, now_s: float, *, ticks: int) -> Mapping[Queue, list[Relay]]:
        """Give a sign of life to those who need one, and tell which to look at, after so many ticks."""
        silent: defaultdict[Queue, list[Relay]] = defaultdict(list)
        due = [relay for _ in range(ticks) for relay in self._next_tick()]
        for relay in due:
            queue = self._relays.get(relay)
            if queue is None:
                continue
            silence = relay.silence
            if silence.sign_at <= now_s:
                relay.nudge()
            if silence.look_at <= now_s and relay.is_awaited:
                silent[queue].append(relay)
            left_s = min(silence.look_at, silence.sign_at) - now_s
            self._visits[min(VISIT_TICKS, max(1, math.ceil(left_s / TICK_S)))].append(relay)
        return silent

    def _next_tick(self) -> list[Relay]:
        self._visits.append([])
        self._visits.popleft()
        due, self._visits[0] = self._visits[0], []
        return due


async def _look(silent: Mapping[Queue, list[Relay]], fence: Fence) -> None:
    ahead: list[_Ahead] = []
    async with asyncio.TaskGroup() as looks:  # together: a Redis that is away takes its time once, not each time
        for queue, relays in silent.items():
            for at in range(0, len(relays), JOBS_A_LOOK):
                looks.create_task(_ask(queue, relays[at : at + JOBS_A_LOOK], ahead))
    if ahead:
        await fence()
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
