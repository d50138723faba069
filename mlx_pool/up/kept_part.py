"""A part kept alive: started, its output taken, started again when it dies, ended when told.

state      start     exit                 stop
starting   running   pausing              stopping
running    –         pausing or ended     stopping
pausing    running   –                    ended
stopping   –         ended                stopping
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .child import Child, launch
from .log_file import Lines, LogFile
from .notice import Notice, notice_of, words_of
from .part import STOP_LIMITS_S, Part
from .process import Identity, identity_of
from .repeats import Repeats
from .restart import Exit, GiveUp, after_exit, in_words
from .state import Running, StateFile

# How long a dead part's last words may take through the pipe, which somebody else may hold open.
_LAST_WORDS_S: Final = 2.0


class KeptPart:
    """Owns one part's process, whichever one it is at the time."""

    def __init__(
        self,
        part: Part,
        logs: Path,
        state: StateFile,
        show: Callable[[str, Notice], None],
        on_death: Callable[[Part, int], None] = lambda _part, _pid: None,
    ) -> None:
        self.part = part
        self.last_words = ""
        self.deaths = 0  # in a row
        self.pid = 0  # of the last process
        self.log_path = logs / f"{part.name.replace(' ', '-')}.log"
        self._state = state
        self._show = show
        self._repeats = Repeats()
        self._on_death = on_death
        self._child: Child | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> Exit | None:
        """Keep the part alive until it is stopped, which returns None, or until it gave up, which returns its exit."""
        log = LogFile(self.log_path)
        try:
            while not self._stopping.is_set():
                exit_ = await self._run_once(log)
                if self._stopping.is_set():
                    break
                self._on_death(self.part, self.pid)
                verdict = after_exit(exit_, self.deaths)
                if isinstance(verdict, GiveUp):
                    return exit_
                self.deaths = verdict.deaths
                self._tell(exit_)
                await self._pause(verdict.after_ms)
        finally:
            log.close()
            self._ended.set()
        return None

    async def stop(self) -> None:
        """End the part: asked first, killed when its stage's limit has passed. Returns when it is gone."""
        self._stopping.set()
        if self._child is not None:
            self._child.ask_to_end()
        try:
            async with asyncio.timeout(STOP_LIMITS_S[self.part.stage]):
                await self._ended.wait()
        except TimeoutError:
            self.kill()
            await self._ended.wait()

    def kill(self) -> None:
        """End the part and all it started, at once."""
        self._stopping.set()
        if self._child is not None:
            self._child.kill()

    async def _run_once(self, log: LogFile) -> Exit:
        started = time.monotonic()
        self.last_words = ""
        try:
            child, identity = await self._begin()
        except OSError as error:
            self.last_words = f"it can't be started now: {error}"  # no memory, no room on the disk: that may pass
            return Exit(1, 0)
        child.let_go(keep_stdin=self.part.holds_stdin)
        if self._stopping.is_set():  # since the launch began
            child.ask_to_end()
        async with asyncio.TaskGroup() as tasks:
            output = tasks.create_task(self._take_output(child, log))
            code = await child.wait()
            self._child = None
            child.kill()  # what it had started and left: an engine, a download
            await asyncio.wait([output], timeout=_LAST_WORDS_S)
            output.cancel()
        child.close()
        self._forget(identity)
        return Exit(code, int((time.monotonic() - started) * 1_000))

    async def _begin(self) -> tuple[Child, Identity | None]:
        """Make the process, which waits, and have it on record; where that can't be, nothing of it is left."""
        self._child = child = await launch(self.part)
        self.pid = child.pid
        # On record before it begins. None: it was killed before that, which its exit code will tell.
        identity = identity_of(child.pid)
        try:
            if identity:
                self._state.add(Running(self.part.name, self.part.stage, identity))
        except OSError:
            self._child = None
            child.kill()
            await child.wait()
            child.close()
            self._forget(identity)
            raise
        return child, identity

    def _forget(self, identity: Identity | None) -> None:
        # A process that has ended may stay on record: nobody is taken for it.
        with contextlib.suppress(OSError):
            if identity:
                self._state.remove(identity)

    async def _take_output(self, child: Child, log: LogFile) -> None:
        lines = Lines()
        while data := await child.read():
            log.write(data)
            for line in lines.feed(data):
                self._take_line(line)

    def _take_line(self, line: str) -> None:
        if not line.strip():
            return
        self.last_words = words_of(line)
        if self.part.stage != "broker" and (notice := notice_of(line)) and self._repeats.is_news(notice):
            self._show(self.part.name, notice)

    def _tell(self, exit_: Exit) -> None:
        words = f"{in_words(exit_)} ({self.last_words or 'without a word'}); it is started again, see {self.log_path}"
        self._show(self.part.name, Notice("warning", words))

    async def _pause(self, after_ms: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after_ms / 1_000):
                await self._stopping.wait()
