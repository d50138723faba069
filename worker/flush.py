"""Tells Redis what the runs have said: one `append` a flush for all of them, one `finish` for each that ended.

While a flush is under way the next one gathers. Every run is named at least each 250 ms, with or without news, since
the answer says what is asked of it: a cancel, a deadline, or that it was fenced.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from shared.claims import Claims, Row, RowVerdict
from shared.errors import Fault
from shared.event import Cancelled, Error

from .book import Book
from .run import Run

NAME_EVERY_S = 0.25
RETRY_AFTER_S = 0.1
REMEMBER_ENDED_S = 30.0
# With Redis away an engine goes on for so long, and the text is there when Redis is back. Longer would be work on a job
# that may have gone to another worker, and unsent words without end. Then it is held, each time anew by a failed flush:
# an engine whose agent forgets goes on by itself.
HOLD_AFTER_S = 2.0
HOLD_MS = 5_000

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Flusher:
    """Flushes one incarnation's runs.

    `silence` stops the engine's work on a run that is over, `hold` all its work for so many ms.
    """

    def __init__(
        self,
        claims: Claims,
        book: Book,
        *,
        silence: Callable[[Run], None],
        hold: Callable[[int], None],
        on_end: Callable[[Run], None],
    ) -> None:
        self._claims = claims
        self._book = book
        self._silence = silence
        self._hold = hold
        self._on_end = on_end
        self._lock = asyncio.Lock()
        self._away_since: float | None = None  # when the first flush began that Redis did not answer
        self._ended: dict[Run, float] = {}  # runs that Redis has the end of, by when; until it can't lose it any more

    async def run(self) -> None:
        """Flush for ever, whatever Redis does meanwhile.

        Raises:
            LeaseLost: nothing of this incarnation counts any more.

        """
        while True:
            await self._book.news(within_s=NAME_EVERY_S)
            if len(self._book) and not await self.flush():
                await asyncio.sleep(RETRY_AFTER_S)

    async def flush(self) -> bool:
        """Flush what there is; False when Redis did not answer, and then nothing is lost."""
        began_s = time.monotonic()
        async with self._lock:
            going: list[tuple[Run, Row]] = []
            ending: list[tuple[Run, Row]] = []
            for run in self._book:
                row = run.take()
                (ending if run.is_last(row) else going).append((run, row))
            try:
                await self._append(going)
                await self._finish(ending)
            except Fault as fault:
                if fault.code != "broker_down":
                    raise
                self._note_away(began_s)
                return False
            self._note_back()
            return True

    async def forget(self, job_id: str) -> bool:
        """Write nothing more of a job's earlier runs; tells whether one was held. None of it is on its way then."""
        held = [run for run in self._book if run.id == job_id]
        for run in held:
            self._drop(run, "claimed_again")
        if held:
            async with self._lock:
                pass  # what a flush had on its way has been answered
        self._ended = {run: at_s for run, at_s in self._ended.items() if run.id != job_id}
        return bool(held)

    async def _append(self, rows: list[tuple[Run, Row]]) -> None:
        if not rows:
            return
        verdicts = await self._claims.append([row for _, row in rows])
        for (run, _), verdict in zip(rows, verdicts, strict=True):
            await self._heed(run, verdict)

    async def _heed(self, run: Run, verdict: RowVerdict) -> None:
        match verdict.verdict:
            case "ok":
                run.acknowledge(verdict.seq)
                if verdict.asked and run.ending is None:
                    self._end_as_asked(run, verdict.asked)
                if run.has_news:
                    self._book.tell()
                elif run.is_handed_back and run.ending is None:
                    await self._hand_back(run)
            case "gap":
                await self._tell_again(run, verdict.seq)
            case "fenced":
                self._drop(run, "fenced")
            case "err":
                await self._claims.release(run.id, run.claimed.attempt)
                self._drop(run, "append_failed")

    async def _hand_back(self, run: Run) -> None:
        """Let another attempt go on after what Redis has; not here next, where there was no memory for it."""
        job, attempt, has_no_room = run.id, run.claimed.attempt, run.has_no_room
        await self._claims.release(job, attempt, not_on=self._claims.host, has_no_room=has_no_room)
        self._book.close(run)
        _log.info("job_handed_back", **run.names, tokens=run.generated, has_no_room=has_no_room)

    async def _finish(self, rows: list[tuple[Run, Row]]) -> None:
        if not rows:
            return
        answers = await self._claims.finish_each([(row, run.ending or "error") for run, row in rows])
        for (run, _), (answer, seq) in zip(rows, answers, strict=True):
            match answer:
                case "ok":
                    self._close(run)
                case "gap":
                    await self._tell_again(run, seq)
                case _:
                    self._drop(run, answer)

    def _close(self, run: Run) -> None:
        self._book.close(run)
        if run not in self._ended:
            self._on_end(run)
        now_s = time.monotonic()
        self._ended = {each: at_s for each, at_s in self._ended.items() if now_s - at_s < REMEMBER_ENDED_S}
        self._ended[run] = now_s

    async def _tell_again(self, run: Run, seq: int) -> None:
        run.acknowledge(seq)
        if run.can_tell_again:
            _log.warning("redis_lost_events", **run.names, seq=seq)
            self._book.tell()
        else:
            # What earlier attempts logged is gone with it: another attempt goes on from what is left.
            await self._claims.release(run.id, run.claimed.attempt)
            self._drop(run, "log_lost")

    def _end_as_asked(self, run: Run, asked: str) -> None:
        self._silence(run)
        if asked == "deadline":
            run.add(Error(code="deadline_exceeded", message="The job was not done within its timeout."))
        else:
            run.add(Cancelled(reason=asked, usage=run.usage()))

    def _drop(self, run: Run, why: str) -> None:
        self._silence(run)
        self._book.close(run)
        _log.warning("job_dropped", **run.names, why=why)

    def _note_away(self, since_s: float) -> None:
        if self._away_since is None:
            self._away_since = since_s
            _log.warning("redis_away")
        if time.monotonic() - self._away_since >= HOLD_AFTER_S:
            self._hold(HOLD_MS)

    def _note_back(self) -> None:
        if self._away_since is None:
            return
        self._away_since = None
        _log.warning("redis_back")
        self._hold(0)
        self._tell_ends_again()

    def _tell_ends_again(self) -> None:
        """A Redis that was gone may have lost what it had acknowledged; an end it still has is not told twice."""
        for run in self._ended:
            self._book.open(run)
        self._book.tell()
