"""One engine process: started, read, written to, and killed with all that it started. One object a process.

Reads are raw: each chunk from the pipe is split into lines and handed on as one list, so a batch's step costs one
call. Writes are gathered for one turn of the event loop, bounded, and never block. What the engine says on stderr goes
to the log line by line; its last lines are kept, as they tell what it died of.
"""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import structlog

MAX_LINE_BYTES = 8 << 20
MAX_UNSENT_BYTES = 16 << 20  # of requests that the engine has not read: it is wedged
_LAST_LINES = 20
_LOG_LINE_CHARACTERS = 2_000
# Pipes close with the process, unless something it started outside its group keeps them open.
_PIPES_CLOSE_WITHIN_S = 1.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Exit(msgspec.Struct, frozen=True):
    """How a process ended: by itself with a code, or by a signal; and the last lines of its stderr."""

    exit_code: int | None
    signal: int | None
    last_words: str


class Lines:
    """Cuts a stream of bytes into lines; a line beyond `MAX_LINE_BYTES` is dropped, not gathered for ever."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_dropping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take in a chunk and return the lines that are whole now, empty ones left out."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if lines and self._is_dropping:
            del lines[0]
            self._is_dropping = False
        if len(self._rest) > MAX_LINE_BYTES:
            _log.warning("engine_line_too_long", bytes=len(self._rest))
            self._rest = b""
            self._is_dropping = True
        return [line for line in lines if line]

    def end(self) -> list[bytes]:
        """Return the last line, if it had no newline."""
        return self.feed(b"\n")


class Child(asyncio.SubprocessProtocol):
    """A running process with its three pipes. `on_lines` is called in the event loop with each chunk's lines.

    An error raised by `on_lines` ends the process and is raised by `live`.
    """

    def __init__(self, on_lines: Callable[[list[bytes]], None]) -> None:
        self._on_lines = on_lines
        self._loop = asyncio.get_running_loop()
        self._has_exited = asyncio.Event()
        self._is_closed = asyncio.Event()
        self._failure: Exception | None = None
        self._replies = Lines()
        self._words = Lines()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._transport: asyncio.SubprocessTransport
        self._stdin: asyncio.WriteTransport
        self.pid = 0

    @classmethod
    async def start(cls, command: Sequence[str], on_lines: Callable[[list[bytes]], None]) -> "Child":
        """Start the command in a session of its own, so that no terminal's Ctrl-C reaches it and a kill gets all of it.

        Raises:
            OSError: there is no such command.

        """
        loop = asyncio.get_running_loop()
        _, child = await loop.subprocess_exec(lambda: cls(on_lines), *command, start_new_session=True)
        return child

    async def live(self) -> Exit:
        """Wait for the end, having read all that was said; when cancelled, kill and wait all the same."""
        try:
            await self._has_exited.wait()
        finally:
            self.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PIPES_CLOSE_WITHIN_S):
                    await self._is_closed.wait()
            self._transport.close()
            self._relay(self._words.end())
        if self._failure is not None:
            raise self._failure
        return self._exit()

    def write(self, line: bytes) -> bool:
        """Have a line written at the end of this turn of the loop; False when it is gone, or has read too little."""
        if self._has_exited.is_set() or self._stdin.is_closing():
            return False
        if self._stdin.get_write_buffer_size() + self._unsent_bytes + len(line) > MAX_UNSENT_BYTES:
            return False
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(line)
        self._unsent_bytes += len(line)
        return True

    def kill(self) -> None:
        """Kill the process and whatever is left of its group."""
        assert self.pid > 0, "0 would be our own group"
        # macOS answers PermissionError for a group in which nobody is alive.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio once the process runs."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        stdin = transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        pid = transport.get_pid()
        assert pid is not None
        self._transport, self._stdin, self.pid = transport, stdin, pid

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Called by asyncio with what was read."""
        if fd == 2:
            self._relay(self._words.feed(data))
            return
        lines = self._replies.feed(data)
        if not lines or self._failure is not None:
            return
        try:
            self._on_lines(lines)
        except Exception as error:  # noqa: BLE001 - asyncio would log and forget it; `live` raises it
            self._failure = error
            self.kill()

    def process_exited(self) -> None:
        """Called by asyncio when the process is gone, whoever still holds its pipes."""
        self._has_exited.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by asyncio when the process is gone and its pipes are read to their ends."""
        self._is_closed.set()

    def _flush(self) -> None:
        lines, self._unsent, self._unsent_bytes = b"".join(self._unsent), [], 0
        if not self._stdin.is_closing():
            self._stdin.write(lines)

    def _relay(self, lines: list[bytes]) -> None:
        for line in lines:
            text = line[:_LOG_LINE_CHARACTERS].decode(errors="replace").rstrip()
            self._last_lines.append(text)
            _log.info("engine_says", line=text, engine_pid=self.pid)

    def _exit(self) -> Exit:
        code = self._transport.get_returncode()
        assert code is not None, "the process has exited"
        last_words = "\n".join(self._last_lines)
        return Exit(None, -code, last_words) if code < 0 else Exit(code, None, last_words)
