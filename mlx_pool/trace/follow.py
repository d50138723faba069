"""Following a job: its log as it is written, its record beside it, and Redis's clock. The one place with I/O."""

import time
from collections.abc import Sequence
from typing import Protocol

from mlx_pool.failure import Failed
from shared.connection import Broker
from shared.event import Done, decode_event, is_terminal
from shared.life import Life, glance, life_of
from shared.pool import Pool
from shared.queue import LogEntry

from .course import Course
from .moment import Moment, Whole

# A claim and a hand-over stand in no log: this is how late they may be told. Their times are right all the same.
_LOOK_EVERY_MS = 500


class Teller(Protocol):
    """Who is told."""

    def begin(self, life: Life) -> None:
        """Be told which job it is."""
        ...

    def tell(self, told: Moment | Whole) -> None:
        """Be told what befalls it, and in the end where its time went."""
        ...


async def follow(client: Broker, patient: Broker, given: str, *, tenant: str, teller: Teller) -> bool:
    """Tell what befalls a job until it ends, first what has; gives whether it is done as asked.

    `patient` bears half a second's silence.

    Raises:
        Refused: nobody knows such a job.
        Failed: its record has expired meanwhile.

    """
    life = await life_of(client, given, tenant=tenant)
    teller.begin(life)
    return await _Follower(client, patient, life, teller, await _lead_ms(client)).run()


class _Follower:
    """Follows one job, from its first event to its last."""

    def __init__(self, client: Broker, patient: Broker, life: Life, teller: Teller, lead_ms: int) -> None:
        self._client = client
        self._log = Pool(patient).queue(life.model)
        self._queue = Pool(client).queue(life.model)
        self._life = life
        self._course = Course(life)
        self._tell = teller.tell
        self._lead_ms = lead_ms
        self._has_caught_up = False
        self._seq = 0

    async def run(self) -> bool:
        """Tell all, and whether it is done as asked."""
        self._tell(self._course.begin())
        while self._course.end is None:
            entries = await self._more()
            now_ms = self._now_ms()
            older = self._life
            if not entries or not self._has_caught_up or _has_borders(entries):
                await self._look_again(is_over=any(map(_ends, entries)))
            for entry in entries:
                self._hear(entry, now_ms if self._has_caught_up else None)
            if not entries:
                await self._rest(older, now_ms)
        self._tell(self._course.whole())
        return isinstance(self._course.end, Done)

    async def _more(self) -> Sequence[LogEntry]:
        if self._has_caught_up:
            return await self._log.await_log(self._life.id, after=self._seq, timeout_ms=_LOOK_EVERY_MS)
        return await self._queue.read_log(self._life.id, after=self._seq)

    def _hear(self, entry: LogEntry, at_ms: int | None) -> None:
        self._seq = entry.seq
        for moment in self._course.hear(entry, at_ms):
            self._tell(moment)

    async def _rest(self, older: Life, now_ms: int) -> None:
        """Nothing is logged just now: tell what only the record says."""
        self._has_caught_up = True
        moments = [*self._course.flush(older), *self._course.idle(now_ms)]
        if self._life.state == "waiting":
            (before,) = await self._queue.jobs_before([self._life.id])
            moments += [] if before is None else self._course.wait(before, now_ms)
        for moment in moments:
            self._tell(moment)
        if self._life.state == "ended" and older.state == "ended":
            raise Failed(f"Job {self._life.id} has ended, but its log does not say how.")

    async def _look_again(self, *, is_over: bool) -> None:
        # Once it is over the whole life is read: only that has the time of the end.
        life = await (life_of(self._client, self._life.id) if is_over else glance(self._client, self._life))
        if life is None:
            raise Failed(f"The queue knows nothing of job {self._life.id} any more.")
        self._life = life
        self._course.learn(life)

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._lead_ms


def _has_borders(entries: Sequence[LogEntry]) -> bool:
    """Whether an attempt begins among them, or the job ends."""
    return any(b'"started"' in entry.data or _ends(entry) for entry in entries)


def _ends(entry: LogEntry) -> bool:
    event = decode_event(entry.data)
    return event is not None and is_terminal(event)


async def _lead_ms(client: Broker) -> int:
    """How far Redis's clock is ahead of this machine's, about."""
    asked = time.time_ns()
    seconds, micros = await client.command("TIME")
    return (int(seconds) * 1_000_000_000 + int(micros) * 1_000 - (asked + time.time_ns()) // 2) // 1_000_000
