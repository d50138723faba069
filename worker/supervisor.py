"""Keeps one engine running for an agent: starts it, starts it again with back-off, kills it on the agent's word.

    stopped ──run()──► loading ──ready──► ready
                          ▲  └────dies──────┤
                          └──restart_delay_ms┘        exit code 2 while loading: no use in trying again

What the engine says is decoded here and handed on by chunks; what it means is the agent's business. All callbacks run
in the event loop and must not block.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from worker.engine.wire import AnyReply, Cancel, Error, Hold, Ready, Request, Stop, decode_reply, encode_line

from .child import Child, Exit
from .death import Death, restart_delay_ms

__all__ = ["Death", "Supervisor", "restart_delay_ms"]

_USAGE_EXIT_CODE = 2
_REMEMBERED_DEATHS = 16

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Supervisor:
    """Owns at most one engine process at a time; none is left when `run` returns, raises or is cancelled.

    `on_replies` gets what came in one read; `on_ready` comes before the `on_replies` that has the same line in it. An
    error raised by a callback kills the engine and is raised by `run`. `on_death` comes after the last `on_replies`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_replies: Callable[[list[AnyReply]], None],
        on_death: Callable[[Death], None],
        on_ready: Callable[[Ready], None] | None = None,
    ) -> None:
        self._command = tuple(command)
        self._on_replies = on_replies
        self._on_death = on_death
        self._on_ready = on_ready
        self._child: Child | None = None
        self._ready: Ready | None = None
        self._refusal = ""
        self._killed_for = ""
        self._held_until_ms = 0
        self._is_stopping = asyncio.Event()
        self._is_over = asyncio.Event()
        self._is_over.set()

    @property
    def ready(self) -> Ready | None:
        """What the running engine said of itself; None while none runs or it still loads."""
        return self._ready

    @property
    def is_ready(self) -> bool:
        """Tell whether an engine runs and takes requests."""
        return self._ready is not None

    @property
    def is_held(self) -> bool:
        """Tell whether the engine was told to stand still."""
        return _now_ms() < self._held_until_ms

    @property
    def pid(self) -> int | None:
        """The engine's process id, if one runs."""
        return self._child.pid if self._child else None

    async def run(self) -> None:
        """Keep the engine running until `stop`, a fatal death (returns after `on_death`), or cancellation.

        It may be run again then. A `stop` that comes before the run ends it as it begins.
        """
        deaths: list[int] = []
        self._is_over.clear()
        try:
            while not self._is_stopping.is_set():
                death = await self._live_once()
                if self._is_stopping.is_set():
                    return
                self._report(death)
                if death.fatal:
                    return
                deaths = [*deaths, _now_ms()][-_REMEMBERED_DEATHS:]
                await self._pause(restart_delay_ms(deaths, _now_ms()))
        finally:
            self._is_stopping.clear()
            self._is_over.set()

    def send(self, request: Request) -> bool:
        """Write a request, with all others of this turn of the event loop in one piece; never blocks.

        False: no engine runs, or it has left too much unread. One that is still loading takes requests and keeps them.
        """
        return self._child is not None and self._child.write(encode_line(request))

    def hold(self, for_ms: int) -> None:
        """Have the engine compute nothing for so long; 0 ends that."""
        if for_ms and not self.is_held:
            _log.warning("engine_held")
        self._held_until_ms = _now_ms() + for_ms
        self.send(Hold(for_ms=for_ms))

    def kill(self, reason: str) -> None:
        """Kill the engine, if one runs; its death is reported with the reason, and the next one started."""
        if self._child is None:
            return
        _log.warning("engine_killed", engine_pid=self._child.pid, reason=reason)
        self._killed_for = reason
        self._child.kill()

    async def stop(self, grace_s: float) -> None:
        """End the engine and `run`: by a word, and by force after so many seconds. Not reported as a death."""
        self._is_stopping.set()
        self.send(Stop())
        try:
            async with asyncio.timeout(grace_s):
                await self._is_over.wait()
        except TimeoutError:
            self.kill("did not stop in time")
            await self._is_over.wait()

    async def _live_once(self) -> Death:
        """Run one engine from its start to its death."""
        self._refusal = self._killed_for = ""
        try:
            self._child = await Child.start(self._command, self._hear)
        except OSError as error:
            return Death(exit_code=None, signal=None, last_words=str(error), while_loading=True, fatal=True)
        _log.info("engine_started", engine_pid=self._child.pid)
        # An empty cancel does nothing, but tells that this peer speaks `op`: stats begin, and EOF ends the engine.
        self.send(Cancel(id=""))
        if self._is_stopping.is_set():  # since before there was anyone to tell
            self._child.kill()
        try:
            return self._death_of(await self._child.live())
        finally:
            self._child = self._ready = None

    def _hear(self, lines: list[bytes]) -> None:
        replies = [reply for reply in map(_decode, lines) if reply is not None]
        for reply in replies:
            if isinstance(reply, Ready):
                self._become_ready(reply)
            elif isinstance(reply, Error) and self._ready is None and not reply.id:
                self._refusal = reply.message
        if replies:
            self._on_replies(replies)

    def _become_ready(self, ready: Ready) -> None:
        self._ready = ready
        _log.info("engine_ready", model=ready.model, slots=ready.slots, device=ready.device, note=ready.note)
        if self._on_ready is not None:
            self._on_ready(ready)

    def _death_of(self, end: Exit) -> Death:
        while_loading = self._ready is None
        return Death(
            exit_code=end.exit_code,
            signal=end.signal,
            last_words=self._refusal or end.last_words,
            while_loading=while_loading,
            fatal=while_loading and end.exit_code == _USAGE_EXIT_CODE,
            killed_for=self._killed_for,
        )

    def _report(self, death: Death) -> None:
        _log.error("engine_died", **msgspec.structs.asdict(death))
        self._on_death(death)

    async def _pause(self, delay_ms: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_ms / 1_000):
                await self._is_stopping.wait()


def _decode(line: bytes) -> AnyReply | None:
    try:
        return decode_reply(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Its length only: whatever it is, it may hold a prompt.
        _log.warning("engine_line_unreadable", bytes=len(line))
        return None


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
