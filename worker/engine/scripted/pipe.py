"""The process's end of the pipe: its real stdout, moved away, and a thread that reads stdin.

The reader decodes and queues, and it ends the process: on `stop`, and on EOF from a peer that speaks `op` or asked
nothing yet, at once and whatever the loop is doing, for an agent that died must not leave an engine behind. Prompts
typed by hand are answered before an EOF counts.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

from shared.job import refusal_of
from worker.engine.wire import Cancel, Error, Generate, Stop, decode_request, id_of

_READ_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1


class Taken(NamedTuple):
    """One line from the peer: a request, or the error that answers a line that is none. None stands for EOF."""

    request: Generate | Cancel | Error | None
    has_op: bool


class Pipe:
    """The replies' way out and the requests' way in."""

    def __init__(self, reply_fd: int) -> None:
        self._reply_fd = reply_fd
        self._parent_pid = os.getppid()
        # What was read together is queued together, so that a burst joins the batch in one step.
        self.requests: SimpleQueue[list[Taken]] = SimpleQueue()

    @classmethod
    def open(cls) -> "Pipe":
        """Move stdout away: what a library prints from now on goes to stderr."""
        reply_fd = os.dup(1)
        os.dup2(2, 1)
        return cls(reply_fd)

    def listen(self) -> None:
        """Start the reader thread."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    def write(self, lines: bytes) -> None:
        """Write lines with one call to the system, unless the pipe is full; blocks while it is."""
        view = memoryview(lines)
        while view:
            view = view[os.write(self._reply_fd, view) :]

    def _read(self) -> None:
        has_op = is_asked = False
        for lines in _bursts_of(0):
            burst = [_take(line) for line in lines]
            is_asked = True
            if not has_op and any(taken.has_op for taken in burst):
                has_op = True
                _die_with(self._parent_pid)
            self.requests.put(burst)
        if has_op or not is_asked:
            os._exit(0)
        self.requests.put([Taken(None, has_op=False)])


def _bursts_of(fd: int) -> Iterator[list[bytes]]:
    """Read to the end, and give the lines that came whole with each read; a last one without newline counts."""
    rest = b""
    while chunk := os.read(fd, _READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if whole := [line for line in lines if line]:
            yield whole
    if rest:
        yield [rest]


def _take(line: bytes) -> Taken:
    """Decode a line; one that says `stop` is obeyed here and now."""
    try:
        request, has_op = decode_request(line)
    except msgspec.ValidationError as error:
        refused = refusal_of(error)
        return Taken(
            Error(id=id_of(line), code=refused.code, message=refused.message, param=refused.param), has_op=False
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Taken(
            Error(id=id_of(line), code="invalid_json", message=f"The line is not JSON: {error}."), has_op=False
        )
    if isinstance(request, Stop):
        os._exit(0)
    return Taken(request, has_op=has_op)


def _die_with(parent_pid: int) -> None:
    """Have Linux kill this process with its parent, also where a third process holds the other end of stdin open."""
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - ten milliseconds that a prompt by hand needn't wait for

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the call, which then never fires
        os._exit(0)
