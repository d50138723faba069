"""The pool's state for all open pages: looked at once a second while there are any, encoded once, sent to each.

However many pages are open, Redis is asked as often as for one, and a page costs the writing of bytes that are there
already. While none is open it looks now and then, so that the next one finds the last minutes.
"""

import asyncio
import contextlib
import time
from collections import deque
from importlib.metadata import version

import msgspec

from gateway.drain import Drain
from gateway.frames import one_line
from gateway.metrics.figures import Failure, Ledger
from gateway.pool import PoolQueue, pool_view
from gateway.surveys import Surveys
from shared.errors import Fault

from .first_tokens import FirstTokens
from .incident import Incident, incidents
from .now import POINTS_KEPT, Greeting, Point, PoolNow, now_of, point_of, without_jobs
from .roster import Roster, next_roster

TICK_S = 1.0
IDLE_TICKS = 5
INCIDENTS_KEPT = 100
_NOTHING = PoolNow(at_ms=0, workers=[], models=[], queues=[], point=None, incidents=[])


class Listener:
    """An open page: it hears that there is something new, or that its client has left."""

    def __init__(self) -> None:
        self.has_left = False
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """There is something new."""
        self._bell.set()

    def leave(self) -> None:
        """The client has left."""
        self.has_left = True
        self.ring()

    async def rung(self) -> None:
        """Wait for the next ring; of several in a row, one."""
        await self._bell.wait()
        self._bell.clear()


class Pulse:
    """What all pages are told, and the task that looks."""

    def __init__(self, surveys: Surveys, ledger: Ledger, drain: Drain) -> None:
        self.listeners: set[Listener] = set()
        self._latest = {True: b"", False: b""}  # as operators are told it, and as others are
        self._surveys = surveys
        self._ledger = ledger
        self._drain = drain
        self._first_tokens = FirstTokens(ledger)
        self._roster: Roster = {}
        self._queues: list[PoolQueue] = []
        self._points: deque[Point] = deque(maxlen=POINTS_KEPT)
        self._incidents: deque[Incident] = deque(maxlen=INCIDENTS_KEPT)
        self._last_failure: Failure | None = None
        self._now = _NOTHING

    @property
    def is_over(self) -> bool:
        """Whether this gateway ends: pages are to look for another one."""
        return self._drain.is_draining

    async def run(self) -> None:
        """Look, until the gateway ends."""
        tick = 0
        while not self.is_over:
            if self.listeners or tick % IDLE_TICKS == 0:
                await self._look()
            tick += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._drain.wait()
        self._ring()

    def latest(self, *, may_operate: bool) -> bytes:
        """The pool as it is, ready to be sent."""
        return self._latest[may_operate]

    async def greeting(self, *, may_operate: bool, queue_url: str) -> bytes:
        """What a page is told first."""
        if time.time_ns() // 1_000_000 - self._now.at_ms > TICK_S * 1_500:
            await self._look()
        paces = {name: seen.paces for name, seen in self._roster.items()}
        greeting = Greeting(
            version=version("mlx-pool"),
            may_operate=may_operate,
            queue_url=queue_url if may_operate else None,
            points=list(self._points),
            paces=paces,
            now=self._now if may_operate else without_jobs(self._now),
        )
        return _event("hello", greeting)

    async def _look(self) -> None:
        at_ms = time.time_ns() // 1_000_000
        try:
            surveys = await self._surveys.all()
        except Fault as fault:
            self._now = msgspec.structs.replace(self._now, at_ms=at_ms, fault=fault.code)
        else:
            view = pool_view(surveys)
            roster = next_roster(self._roster, view.workers, at_ms)
            if self._points:  # who is there at the first look did not come just then
                self._incidents += incidents(self._roster, roster, self._queues, view.queues, at_ms=at_ms)
            self._incidents += self._failures()
            self._points.append(point_of(surveys, self._first_tokens.look(at_ms), at_ms))
            self._roster, self._queues = roster, view.queues
            workers = [seen.worker for seen in roster.values()]
            self._now = now_of(view, workers, point=self._points[-1], incidents=self._incidents, at_ms=at_ms)
        self._latest = {True: _event("now", self._now), False: _event("now", without_jobs(self._now))}
        self._ring()

    def _failures(self) -> list[Incident]:
        """The jobs that have failed here since the last look."""
        failures, last = list(self._ledger.failures), self._last_failure
        new = failures[failures.index(last) + 1 :] if last and last in failures else failures
        self._last_failure = failures[-1] if failures else None
        return [
            Incident(at_ms=each.at_ms, kind="job_failed", model=each.model, job=each.job_id, what=each.code)
            for each in new
        ]

    def _ring(self) -> None:
        for listener in self.listeners:
            listener.ring()


def _event(name: str, told: msgspec.Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), one_line(msgspec.json.encode(told)))
