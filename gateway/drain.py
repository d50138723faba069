"""The end of a process: the first signal drains, the second stops at once."""

import asyncio
import signal
from collections.abc import Callable


class Drain:
    """Whether this process is ending."""

    def __init__(self) -> None:
        self._began = asyncio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is taken any more."""
        return self._began.is_set()

    def begin(self) -> None:
        """Take nothing new from now on."""
        self._began.set()

    async def wait(self) -> None:
        """Wait for it to begin."""
        await self._began.wait()

    def on_signals(self, stop_at_once: Callable[[], object]) -> None:
        """Begin at the first SIGTERM or SIGINT, and call `stop_at_once` at every later one."""
        loop = asyncio.get_running_loop()

        def hear() -> None:
            if self.is_draining:
                stop_at_once()
            self.begin()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, hear)
