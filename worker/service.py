"""One queue served by one engine: the pair that an agent holds a list of.

The engine of a pinned model lives as long as the service, that of another one as long as the model is loaded;
incarnations come and go with their leases. A paused machine that wakes up finds its lease taken, drops what it ran, and
goes on under a new name with the model still loaded.
"""

import asyncio
import os
import time
from collections.abc import Sequence

import msgspec
import structlog

from shared.channel import Listener
from shared.claims import Claims, Doorbell, LeaseLost
from shared.connection import Broker
from shared.errors import Fault, Refused
from shared.identity import incarnation
from shared.keys import Keys
from shared.queue import Queue
from shared.tracing import Tracing

from . import watchdog
from .admission import Place
from .engine import wire
from .hints import Hints
from .incarnation import Incarnation
from .placement import choose_several
from .presence import Tally
from .served import Served
from .spans import Spans
from .stand import Stand
from .supervisor import Death, Supervisor
from .tending import ENGINE_STOP_S, REST_S, Fetch, Tending

WATCH_EVERY_S = 0.5
LEAVE_S = 2.0
# An engine that dies while it loads is started again so often; then others may be better at it.
LOADING_DEATHS = 3

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Connections(msgspec.Struct, frozen=True):
    """A service's ways to Redis: a slow call on one must not delay the others."""

    calls: Broker
    beats: Broker
    bell: Broker  # bears the doorbell's silence
    slow_bell: Broker  # bears that of one who stands by
    listener: Listener


class Service:
    """Serves one queue with one engine until drained. Without `fetch` the model is here, and stays loaded."""

    def __init__(
        self,
        stand: Stand,
        command: Sequence[str],
        connections: Connections,
        *,
        host: str,
        hints: Hints,
        tracing: Tracing | None = None,
        place: Place = choose_several,
        fetch: Fetch | None = None,
    ) -> None:
        self.model = stand.queue
        self._stand = stand
        self._tracing = tracing
        self._place = place
        self._connections = connections
        self._host = host
        self._tally = Tally()
        self._hints = hints
        self._served = Served()
        self._engine = Supervisor(
            command, on_replies=self._hear, on_death=self._engine_died, on_ready=self._engine_ready
        )
        self._tending = Tending(self._engine, stand, self, fetch=fetch) if fetch else None
        self._progress = watchdog.started(_now_ms())
        self._incarnation: Incarnation | None = None
        self._is_draining = False
        self._deaths: set[asyncio.Task[None]] = set()
        self._loading_deaths = 0
        self._fatal: Death | None = None

    async def run(self, *, drain_s: float) -> None:
        """Serve until `drain`, then return with nothing left running.

        Raises:
            Refused: the engine can't load the model, or the queue's workers serve other weights.

        """
        self._drain_s = drain_s
        structlog.contextvars.bind_contextvars(queue=self.model)
        self._stand.on_change = self._stand_changed
        try:
            async with asyncio.TaskGroup() as group:
                engine = group.create_task(self._tending.run() if self._tending else self._engine.run())
                watching = group.create_task(self._watch())
                serving = group.create_task(self._serve())
                await asyncio.wait([engine, serving], return_when=asyncio.FIRST_COMPLETED)
                if self._fatal is not None:
                    self.drain()  # nothing runs here: it leaves the queue at once
                    await asyncio.wait([serving], timeout=LEAVE_S)
                watching.cancel()
                serving.cancel()
                await asyncio.wait([serving])
                await self._engine.stop(ENGINE_STOP_S)
                engine.cancel()
        except BaseExceptionGroup as failed:
            raise _cause(failed) from failed
        finally:
            self._stand.left()
        if self._fatal is not None:
            raise Refused("invalid_value", self._fatal.last_words or "The engine can't start.", param="model")

    def drain(self) -> None:
        """Claim no more, and let `run` return when the jobs are finished or handed over."""
        self._is_draining = True
        if self._incarnation is not None:
            self._incarnation.drain()

    def hurry(self) -> None:
        """Hand over at once what a drain still waits for."""
        self.drain()
        if self._incarnation is not None:
            self._incarnation.hurry()

    # --- what becomes of the model, as `Tending` tells ----------------------------------------------------------

    def load(self) -> None:
        """The model is brought and loaded from now on."""
        self._progress = watchdog.started(_now_ms())
        if self._incarnation is not None:
            self._incarnation.load()

    def unload(self) -> None:
        """The engine has ended, and what its prompt cache served is gone."""
        self._served.clear()
        if self._incarnation is not None:
            self._incarnation.unload()

    async def emptied(self) -> None:
        """Wait until nothing runs, and nothing is on its way to run, under whatever name."""
        seen: Incarnation | None = None
        while self._incarnation is not seen:
            seen = self._incarnation
            if seen is not None:
                await seen.emptied()

    def has_failed(self) -> bool:
        """Tell whether the engine can't start, whatever is done."""
        return self._fatal is not None

    # --- serving --------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            try:
                return await self._serve_once()
            except* LeaseLost:
                assert self._incarnation is not None
                _log.warning("lease_lost", worker=self._incarnation.worker_id, jobs=len(self._incarnation.book))
                self._incarnation.abandon()

    async def _serve_once(self) -> None:
        worker_id = incarnation(self._host, os.getpid())
        structlog.contextvars.bind_contextvars(worker=worker_id)
        links, keys = self._connections, Keys(self.model)
        self._incarnation = Incarnation(
            claims=Claims(links.calls, self.model, worker_id, host=self._host),
            beats=Claims(links.beats, self.model, worker_id, host=self._host),
            doorbell=Doorbell(links.bell, self.model),
            slow_bell=Doorbell(links.slow_bell, self.model),
            queue=Queue(links.calls, self.model),
            engine=self._engine,
            tally=self._tally,
            hints=self._hints,
            served=self._served,
            stand=self._stand,
            spans=Spans(self._tracing, model=self.model, worker_id=worker_id) if self._tracing else None,
            place=self._place,
        )
        if self._engine.is_ready:
            self._incarnation.engine_ready()
        if self._is_draining:
            return
        async with asyncio.TaskGroup() as group:
            control = group.create_task(self._hear_control(keys.control(worker_id), self._incarnation))
            await self._incarnation.serve(drain_s=self._drain_s)
            control.cancel()

    async def _hear_control(self, channel: str, incarnation: Incarnation) -> None:
        """Be told of cancels at once: a hint only, since every flush asks for them too."""
        while True:
            try:
                hints = await self._connections.listener.listen_raw(
                    channel, lambda _: incarnation.book.tell(), lambda: None
                )
            except Fault:
                await asyncio.sleep(WATCH_EVERY_S)
                continue
            incarnation.listens = True
            try:
                await asyncio.Event().wait()
            finally:
                await self._connections.listener.mute(hints)

    def _stand_changed(self) -> None:
        if self._incarnation is not None:
            self._incarnation.stand_changed()

    def _engine_ready(self, _: wire.Ready) -> None:
        self._loading_deaths = 0
        self._stand.ready()
        if self._incarnation is not None and self._incarnation.state == "loading":
            self._incarnation.engine_ready()

    def _engine_died(self, death: Death) -> None:
        self._progress = watchdog.started(_now_ms())
        self._served.clear()
        self._stand.died()
        if death.fatal:
            self._fatal = death
        self._loading_deaths = self._loading_deaths + 1 if death.while_loading else 0
        if self._tending and self._loading_deaths >= LOADING_DEATHS:
            self._stand.give_up(REST_S)
        if self._incarnation is not None:
            task = asyncio.ensure_future(self._incarnation.engine_died())
            self._deaths.add(task)
            task.add_done_callback(self._deaths.discard)

    def _hear(self, replies: list[wire.AnyReply]) -> None:
        self._progress = self._progress.after(replies, _now_ms())
        for reply in replies:
            if isinstance(reply, wire.Loading):
                self._stand.progress = reply.progress or self._stand.progress
                _log.info("engine_loading", message=reply.message, progress=reply.progress)
        if self._incarnation is not None:
            self._incarnation.hear(replies)

    async def _watch(self) -> None:
        """Kill an engine that holds jobs and makes no progress."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            if self._engine.pid is None or self._incarnation is None:
                continue
            runs = [run for run in self._incarnation.book if run.is_in_engine and not self._engine.is_held]
            unread = sum(run.prefill_left for run in runs)
            self._progress = self._progress.holding(jobs=len(runs), prompt_tokens=unread, now_ms=_now_ms())
            verdict = watchdog.verdict(self._progress, _now_ms())
            if verdict.is_kill:
                self._engine.kill(verdict.reason)


def _cause(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """What is to be told: a refusal where there is one, since it is for the operator to mend."""
    refused = failed.subgroup(Refused)
    while isinstance(refused, BaseExceptionGroup):
        first = refused.exceptions[0]
        if not isinstance(first, BaseExceptionGroup):
            return first
        refused = first
    return failed


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
