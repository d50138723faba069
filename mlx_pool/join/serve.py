"""The worker in the foreground: a process whose log becomes words, and which a Ctrl-C has drain."""

import asyncio
import math
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from mlx_pool.failure import Failed, Unusable
from mlx_pool.up.child import Child, launch
from mlx_pool.up.log_file import Lines
from mlx_pool.up.notice import notice_of, words_of
from mlx_pool.up.part import Part
from mlx_pool.up.restart import USAGE, Exit, in_words
from mlx_pool.up.screen import Screen

_ECHO_S: Final = 0.5  # one Ctrl-C may come twice: from the terminal, and from a parent that passes it on
_LAST_WORDS_S: Final = 2.0
_VOICE: Final = "mlx-pool worker: "
_TOLD_TO: Final = "it was told to leave (`mlx-pool drain`), and has left; the same line has it join again"


class Serving:
    """Owns the worker's process while it runs."""

    def __init__(self, part: Part, screen: Screen) -> None:
        self._part = part
        self._screen = screen
        self._last_words = ""
        self._asked = 0
        self._answered_at = -math.inf

    async def run(self, on_start: Callable[[int], None]) -> None:
        """Run it until it has drained; `on_start` is told its pid.

        Raises:
            CommandError: it ended otherwise; its last words say why.

        """
        child = await launch(self._part)
        reading = asyncio.create_task(self._read(child))
        try:
            with self._signals_to(child):
                child.let_go(keep_stdin=False)
                on_start(child.pid)
                code = await child.wait()
        finally:
            child.kill()  # what it may have left
            await asyncio.wait([reading], timeout=_LAST_WORDS_S)
            reading.cancel()
            child.close()
            self._screen.settle()
        if code:
            raise self._failure(code)
        self._screen.say("it has left" if self._asked else _TOLD_TO)

    async def _read(self, child: Child) -> None:
        lines = Lines()
        while data := await child.read():
            for line in filter(str.strip, lines.feed(data)):
                self._last_words = words_of(line).removeprefix(_VOICE)
                if notice := notice_of(line):
                    if notice.level == "note":
                        self._screen.settle()  # the engine is up: no bar has anything left to show
                    self._screen.show("worker", notice)

    @contextmanager
    def _signals_to(self, child: Child) -> Generator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._answer, child)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _answer(self, child: Child) -> None:
        """Pass it on: the first drains, the second hands over at once, the third ends it."""
        now = asyncio.get_running_loop().time()
        if now - self._answered_at < _ECHO_S:
            return
        self._answered_at = now
        self._asked += 1
        self._screen.settle()
        if self._asked > 2:
            child.kill()
            return
        child.ask_to_end()
        drains = "leaving: what runs gets time to end; Ctrl-C again hands it over at once"
        self._screen.say(drains if self._asked == 1 else "handing over what runs")

    def _failure(self, code: int) -> Unusable | Failed:
        words = self._last_words or f"Its worker {in_words(Exit(code, 0))}."
        return Unusable(words) if code == USAGE else Failed(words)
