"""Keys as they are pressed, without a line's end: for a command that draws on the whole screen."""

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Generator
from typing import TextIO


class Keyboard:
    """Hears one key after the other, while `listened_to` runs."""

    def __init__(self) -> None:
        self._is_left = asyncio.Event()

    async def is_left(self, within_s: float) -> bool:
        """Wait for `q`, or Escape, or the end of the input; False when none came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._is_left.wait()
        return self._is_left.is_set()

    @contextlib.contextmanager
    def listened_to(self, source: TextIO) -> Generator[None]:
        """Take each key at once, and show none; afterwards the terminal is as it was."""
        descriptor, loop = source.fileno(), asyncio.get_running_loop()
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        loop.add_reader(descriptor, self._hear, descriptor)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _hear(self, descriptor: int) -> None:
        pressed = os.read(descriptor, 64)
        # An arrow key begins with an escape, too, but has more behind it.
        if not pressed or pressed in (b"q", b"Q", b"\x1b"):
            self._is_left.set()
