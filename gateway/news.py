"""News of the queue, for those who asked for it: how many jobs are served before theirs, and how long that takes.

While no worker has the model ready and one loads it, also how far it has come. One task for all of them, which sleeps
while nobody asks. A job is looked at soon after its submit and then once a second, in one batched look a queue; one
that is heard of is not looked at. So a job that a worker takes at once is told nothing of, and one that was given back
in mid-stream is told of again.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Generator

from starlette.datastructures import QueryParams
from starlette.types import Scope

from shared.errors import Fault
from shared.event import Queued
from shared.queue import Queue
from shared.standing import Place
from shared.survey import Survey

from .query import flag_in
from .relay import Relay
from .surveys import Surveys

TICK_S = 0.1
LOOK_EVERY_S = 1.0
JOBS_A_LOOK = 500
_TO_TENTHS = -2  # of a second: a wait is never known better, and would change with every look
_TO_PERCENT = 2


def wants_news(scope: Scope) -> bool:
    """Whether a request asks for news: `?queued=true`, on whatever route it follows a job; `Refused` if unclear."""
    query: bytes = scope["query_string"]
    return b"queued" in query and flag_in(QueryParams(query), "queued")


class _Wait:
    """What was told to one client, and when was looked."""

    __slots__ = ("looked_at_s", "queue", "seq", "tokens", "told")

    def __init__(self, queue: Queue, seq: int, tokens: int | None) -> None:
        self.queue = queue
        self.seq = seq
        self.tokens = tokens
        self.looked_at_s = 0.0
        self.told: Queued | None = None


class News:
    """Those who asked, and the task that tells them."""

    def __init__(self, surveys: Surveys) -> None:
        self._surveys = surveys
        self._waits: dict[Relay, _Wait] = {}
        self._is_asked = asyncio.Event()

    @contextlib.contextmanager
    def told_to(self, queue: Queue, relay: Relay, *, tokens: int | None) -> Generator[None]:
        """Tell a client while the block runs; `tokens` are its prompt's, about, where they are known here."""
        self._waits[relay] = _Wait(queue, relay.seq, tokens)
        self._is_asked.set()
        try:
            yield
        finally:
            del self._waits[relay]

    async def run(self) -> None:
        """Tell, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._is_asked.wait()
            await asyncio.sleep(TICK_S)
            await self._look(loop.time())
            if not self._waits:
                self._is_asked.clear()

    async def _look(self, now_s: float) -> None:
        for queue, relays in self._silent(now_s).items():
            for at in range(0, len(relays), JOBS_A_LOOK):
                with contextlib.suppress(Fault):  # with Redis away there is no news
                    await self._ask(queue, relays[at : at + JOBS_A_LOOK])

    def _silent(self, now_s: float) -> dict[Queue, list[Relay]]:
        """Those who heard nothing since the last look at them, a second ago."""
        silent: defaultdict[Queue, list[Relay]] = defaultdict(list)
        for relay, wait in self._waits.items():
            if now_s - wait.looked_at_s >= LOOK_EVERY_S:
                wait.looked_at_s = now_s
                if relay.seq != wait.seq:
                    wait.seq, wait.told = relay.seq, None
                elif not relay.has_ended:
                    silent[wait.queue].append(relay)
        return silent

    async def _ask(self, queue: Queue, relays: list[Relay]) -> None:
        survey = await self._surveys.of(queue.model)
        places = await queue.places([relay.job_id for relay in relays])
        for relay, place in zip(relays, places, strict=True):
            wait = self._waits.get(relay)
            if place is None or wait is None or relay.seq != wait.seq:  # it began, or left, while Redis was asked
                continue
            queued = queued_at(place, survey, wait.tokens)
            if queued != wait.told:
                wait.told = queued
                relay.tell(queued)


def queued_at(place: Place, survey: Survey, tokens: int | None) -> Queued:
    """What is told of a place in the line; figures are rounded, or each look would find another."""
    wait_ms = survey.wait_ms_behind(place.before, place.job_class, tokens)
    loading = survey.loading
    return Queued(
        waiting=place.before,
        expected_wait_ms=None if wait_ms is None else round(wait_ms, _TO_TENTHS),
        loading=None if loading is None else round(loading, _TO_PERCENT),
    )
