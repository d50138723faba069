"""One incarnation of a worker in one queue: its lease, its claims, its runs, until it has drained or is buried.

The agent is the one translator between the queue and the engine's pipe; this is where it does it. Six loops run side
by side, each with one concern; the book of runs is what they share.
"""

import asyncio
from collections.abc import Coroutine

import structlog

from shared.claims import Claims, Doorbell, LeaseLost
from shared.errors import Fault, Refused
from shared.queue import Queue

from . import chores
from .admission import Load, Place
from .beginning import Beginning
from .book import Book
from .claimer import Claimer
from .engine import wire
from .flush import Flusher
from .hearing import Hearing
from .heartbeat import Heartbeat
from .hints import Hints
from .lifecycle import Happening, State, after
from .placement import choose_several
from .presence import Tally, Told, fields
from .run import Run
from .served import Served
from .spans import Spans
from .stand import Stand
from .standby import Standby
from .supervisor import Supervisor

AFTER_FAULT_S = 0.2

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Incarnation:
    """One name, one lease, one book of runs. `serve` returns when it has drained."""

    def __init__(
        self,
        *,
        claims: Claims,
        beats: Claims,
        doorbell: Doorbell,
        slow_bell: Doorbell,
        queue: Queue,
        engine: Supervisor,
        tally: Tally,
        hints: Hints,
        served: Served,
        stand: Stand,
        spans: Spans | None = None,
        place: Place = choose_several,
    ) -> None:
        self.worker_id = claims.worker_id
        self.book = Book(spans, on_touch=self._note_use)
        self.state: State = "standby" if stand.state == "away" else "loading"
        self.listens = False
        self._claims = claims
        self._queue = queue
        self._engine = engine
        self._tally = tally
        self._hints = hints
        self._stand = stand
        self._heartbeat = Heartbeat(
            beats,
            state=lambda: self.state,
            fields=self._fields,
            fingerprint=self._fingerprint,
            drain=self.drain,
            on_known=self.book.touch,
        )
        self._hearing = Hearing(self.book, self.worker_id, served=served, silence=self._silence)
        self._flusher = Flusher(claims, self.book, silence=self._silence, hold=engine.hold, on_end=self._job_ended)
        begin = Beginning(claims, self.book, engine, forget=self._flusher.forget).begin
        self._claimer = Claimer(claims, doorbell, self.book, load=self._load, begin=begin, place=place, tally=tally)
        self._standby = Standby(claims, slow_bell, queue, self.book, stand, stands_by=self._stands_by)
        self._is_hurried = False

    # --- what the process does with it -------------------------------------------------------------------------

    async def serve(self, *, drain_s: float) -> None:
        """Take and run jobs until `drain` was called and carried out.

        Raises:
            LeaseLost: the pool has buried this incarnation; its runs are forgotten and the engine is told so.
            Refused: the queue's workers serve other weights.

        """
        await self._heartbeat.begin()
        try:
            async with asyncio.TaskGroup() as group:
                loops = [group.create_task(work) for work in self._loops()]
                await self.book.until(lambda: self.state in {"draining", "gone"})
                await self._wind_down(drain_s)
                for loop in loops:
                    loop.cancel()
        except* Refused:
            await self._leave()
            raise
        await self._leave()

    def drain(self) -> None:
        """Claim no more; finish what can be finished in time, hand over the rest."""
        self._become("drain")

    def hurry(self) -> None:
        """Hand over at once, without waiting for anything to finish."""
        self._is_hurried = True
        self.book.touch()

    def abandon(self) -> None:
        """Have the engine stop all that this incarnation runs: it is fenced, whatever it would still say."""
        for run in self.book:
            self._silence(run)
            self.book.close(run)
        self._engine.hold(0)

    def load(self) -> None:
        """The model is brought and loaded from now on."""
        if self.state == "standby":
            self._become("load")

    def unload(self) -> None:
        """The engine has ended, and is not started again before the model is wanted."""
        self._hearing.stats = None
        if self.state in {"loading", "ready"}:
            for run in self.book:
                if run.is_in_engine:
                    self.book.close(run)  # nobody works on it any more: `mine` gives it back
            self._become("unload")

    def engine_ready(self) -> None:
        """The engine is up."""
        self._tally.engine_ready()
        self._become("engine_ready")

    async def emptied(self) -> None:
        """Wait until nothing runs here, and nothing is on its way to run."""
        await self.book.until(lambda: not (len(self.book) or self._claimer.is_taking))

    async def engine_died(self) -> None:
        """Tell what it still said, then give all its jobs back at once: another worker goes on."""
        if self.state == "ready":
            self._become("engine_died")
        runs = [run for run in self.book if run.is_in_engine]
        self._tally.engine_died([run.id for run in runs])
        if rests_for_s := self._tally.rests_for_s:
            self._stand.rest(rests_for_s)
        while runs:
            try:
                await self._flusher.flush()
                held = [run for run in runs if self.book.find(run.pipe_id)]
                await self._claims.fail([(run.id, run.claimed.attempt, run.new_tokens) for run in held])
            except LeaseLost:
                return  # the loops find out by themselves
            except Fault:
                await asyncio.sleep(AFTER_FAULT_S)
                continue
            for run in held:
                self.book.close(run)
            return

    def stand_changed(self) -> None:
        """Heed what was decided of the model, and tell it: others look for free seats and homes by what is told."""
        self.book.touch()
        self._heartbeat.tell()

    def hear(self, replies: list[wire.AnyReply]) -> None:
        """Take in what the engine said."""
        self._hearing.hear(replies)

    # --- one job ------------------------------------------------------------------------------------------------

    def _load(self) -> Load | None:
        """What a new job would find here; None where none may be taken."""
        ready = self._engine.ready
        if self.state != "ready" or ready is None or self._is_resting() or self._stand.is_yielding:
            return None
        # Before the pool knows my weights I may turn out to have others than the queue's.
        return self._hearing.load(slots=ready.slots) if self._heartbeat.is_known else None

    def _is_resting(self) -> bool:
        return self._tally.rests_for_s > 0

    def _silence(self, run: Run) -> None:
        if run.ending is None:
            self._engine.send(wire.Cancel(id=run.pipe_id))

    def _job_ended(self, run: Run) -> None:
        self._tally.job_ended(run.generated, run.age_s)
        _log.info("job_ended", **run.names, ending=run.ending, tokens=run.generated)

    # --- the beginning and the end ------------------------------------------------------------------------------

    def _loops(self) -> list[Coroutine[None, None, None]]:
        return [
            self._heartbeat.run(),
            self._flusher.run(),
            self._claimer.run(),
            self._standby.run(),
            chores.reap(self._queue, stands_by=self._stands_by),
            chores.give_back_lost(self._claims, self.book, stands_by=self._stands_by),
        ]

    def _become(self, happening: Happening) -> None:
        self.state = after(self.state, happening)
        self.book.touch()
        self._heartbeat.tell()

    def _stands_by(self) -> bool:
        return self.state == "standby"

    def _note_use(self) -> None:
        self._stand.note(is_busy=bool(len(self.book)) or self._claimer.is_taking)

    async def _wind_down(self, drain_s: float) -> None:
        try:
            async with asyncio.timeout(drain_s):
                await self.book.until(lambda: len(self.book) == 0 or self._is_hurried)
        except TimeoutError:
            _log.info("drain_limit_reached", jobs=len(self.book))
        if len(self.book):
            await self._hand_over()
        self.state = after(self.state, "empty") if self.state == "draining" else self.state

    async def _hand_over(self) -> None:
        """Give what still runs to other workers, in mid-stream, with all that was said so far."""
        self.book.let_go()
        try:
            await self._flusher.flush()
            for run in self.book:
                await self._claims.release(run.id, run.claimed.attempt, not_on=self._claims.host)
                _log.info("job_handed_over", **run.names, tokens=run.generated)
        except Fault:
            _log.warning("hand_over_failed", jobs=len(self.book))  # their lease ends, and a reaper gives them back
        self.abandon()

    async def _leave(self) -> None:
        try:
            await self._claims.leave()
        except Fault:
            _log.warning("leave_failed")  # the lease ends by itself

    def _fingerprint(self) -> str:
        return self._engine.ready.fingerprint if self._engine.ready else ""

    def _told_state(self) -> str:
        # In place of `loading` too: it is not worth waiting for.
        if self.state in {"loading", "ready"} and self._is_resting():
            return "sick"
        # It takes no more jobs, and comes back for those that wait.
        return "standby" if self.state == "ready" and self._stand.is_yielding else self.state

    def _fields(self) -> dict[str, str | int | float]:
        stand, state = self._stand, self._told_state()
        told = Told(
            model=self._claims.model,
            host=self._claims.host,
            state=state,
            busy=len(self.book),
            listens=self.listens and self.state != "standby",  # it beats too seldom to be judged by that
            ready=None if state == "standby" else self._engine.ready,
            stats=self._hearing.stats,
            hints=self._hints.told,
            load_s=stand.load_s,
            progress=stand.progress,
            is_making_room=stand.is_making_room,
            loads=stand.loads,
            unloads=stand.unloads,
            is_pinned=stand.is_pinned,
        )
        return fields(told, self._tally)
