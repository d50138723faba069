"""A child process on a leash: nothing of it runs before it is told to go, and it ends with all that it started.

The pipes are our own: asyncio's `wait` returns only once its pipes are closed, and a grandchild may hold them open.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from typing import Final

from .part import Part
from .process import signal_group

# The program begins when a line arrives on its stdin. If `up` dies before that, the read fails and nothing was begun.
# The second form leaves stdin open behind it, to learn of `up`'s end.
_LEASH: Final = 'read -r go && exec "$@" </dev/null'
_LEASH_WITH_STDIN: Final = 'read -r go && exec "$@"'


class Child:
    """Owns one process and its two pipes; `close` once it has ended."""

    def __init__(
        self, process: Process, stdin: int, output: asyncio.ReadTransport, reader: asyncio.StreamReader
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._stdin: int | None = stdin
        self._output = output
        self._reader = reader

    def let_go(self, *, keep_stdin: bool) -> None:
        """Let the program begin."""
        assert self._stdin is not None, "it is let go once, and before it is closed"
        with contextlib.suppress(BrokenPipeError):  # it is dead already: `wait` tells
            os.write(self._stdin, b"go\n")
        if not keep_stdin:
            self._close_stdin()

    async def read(self) -> bytes:
        """Give what it and its own children have written; nothing once all of them have closed their end."""
        return await self._reader.read(1 << 16)

    async def wait(self) -> int:
        """Wait for its end, whatever its children do; returns the exit code, or minus the signal that killed it."""
        return await self._process.wait()

    def ask_to_end(self) -> None:
        """Send it SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it, or what it has left behind, at once."""
        signal_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close our ends of the pipes."""
        self._close_stdin()
        self._output.close()

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None


async def launch(part: Part) -> Child:
    """Make the part's process, which waits to be let go."""
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        stdin_of_child, stdin = os.pipe()
        theirs.callback(os.close, stdin_of_child)
        ours.callback(os.close, stdin)
        output, output_of_child = os.pipe()
        theirs.callback(os.close, output_of_child)
        ours.callback(os.close, output)
        leash = _LEASH_WITH_STDIN if part.holds_stdin else _LEASH
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", leash, "leash", *part.argv),
            stdin=stdin_of_child,
            stdout=output_of_child,
            stderr=output_of_child,
            env=part.env,
            # Its own output's other end too: when `up` is killed, what it still says while it drains must not fail.
            pass_fds=(output,),
            start_new_session=True,  # a Ctrl-C on the terminal is for `up` alone, which ends the parts in their order
        )
        ours.pop_all()  # they are kept, now that there is somebody at their other ends
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    return Child(process, stdin, transport, reader)
