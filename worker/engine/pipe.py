"""The process's end of the pipe: its real stdout, moved away, and a thread that reads stdin.

The reader decodes and queues, nothing else, but it alone ends the process: on `stop`, and on EOF from a peer that
speaks `op` or has asked nothing yet, at once and whatever MLX is doing; a restarted agent must not load a second model
beside this one. Prompts typed by hand are answered before an EOF counts.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import msgspec

from shared.job import refusal_of

from .wire import AnyReply, Cancel, Error, Generate, Hold, Stop, decode_request, encode_line, id_of

_READ_BYTES = 1 << 16
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Taken:
    """One line from the peer: a request, or the error that answers a line that is none. None stands for EOF."""

    request: Generate | Cancel | Hold | Error | None
    has_op: bool


class Pipe:
    """The replies' way out and the requests' way in. Only the engine's one thread takes and says."""

    def __init__(self, *, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self._parent = os.getppid()
        # What was read together is queued together, so that a burst joins the batch in one step.
        self._taken: SimpleQueue[list[Taken]] = SimpleQueue()
        self._unsaid: list[AnyReply] = []

    @classmethod
    def open(cls) -> "Pipe":
        """Move stdout away: what a library prints from now on goes to stderr."""
        sys.stdout.flush()
        replies = os.dup(1)
        os.dup2(2, 1)
        return cls(requests=0, replies=replies)

    def listen(self) -> None:
        """Start the reader thread."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    def take(self, *, patience_s: float | None) -> list[Taken]:
        """Everything that has come; if nothing has, wait so long for the first of it, without end for None."""
        taken: list[Taken] = []
        try:
            taken += self._taken.get(block=patience_s != 0, timeout=patience_s or None)
            while True:
                taken += self._taken.get_nowait()
        except Empty:
            return taken

    def wake(self) -> None:
        """Have a `take` that waits return, from any thread."""
        self._taken.put([])

    def say(self, reply: AnyReply) -> None:
        """Have a reply written with the next `flush`."""
        self._unsaid.append(reply)

    def flush(self) -> None:
        """Write what was said since the last time, with one call to the system; blocks while the pipe is full."""
        if self._unsaid:
            lines = b"".join(map(encode_line, self._unsaid))
            self._unsaid.clear()
            self.write(lines)

    def write(self, lines: bytes) -> None:
        """Write lines that are encoded already, with one call to the system; blocks while the pipe is full."""
        view = memoryview(lines)
        while view:
            view = view[os.write(self._replies, view) :]

    def _read(self) -> None:
        try:
            self._queue_all()
        except Exception:  # noqa: BLE001 the border of a thread: an engine that hears nobody is the worst state
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    def _queue_all(self) -> None:
        has_op = is_asked = False
        for lines in _bursts_of(self._requests):
            burst = [_decode(line) for line in lines]
            if not has_op and any(taken.has_op for taken in burst):
                _die_with(self._parent)
            has_op, is_asked = has_op or any(taken.has_op for taken in burst), True
            self._taken.put(burst)
        if has_op or not is_asked:
            os._exit(0)
        self._taken.put([Taken(None, has_op=False)])


def _bursts_of(descriptor: int) -> Iterator[list[bytes]]:
    """Read to the end, and give the lines that came whole with each read; a last one without newline counts."""
    rest = b""
    while chunk := os.read(descriptor, _READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if whole := [line for line in lines if line.strip()]:
            yield whole
    if rest.strip():
        yield [rest]


def _decode(line: bytes) -> Taken:
    """Decode a line; `stop` is obeyed here and now."""
    try:
        request, has_op = decode_request(line)
    except msgspec.ValidationError as error:
        refused = refusal_of(error)
        return Taken(
            Error(id=id_of(line), code=refused.code, message=refused.message, param=refused.param), has_op=False
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        known = id_of(line.decode(errors="replace").encode())  # the id itself may be what is no text
        return Taken(Error(id=known, code="invalid_json", message=f"The line is not JSON: {error}."), has_op=False)
    if isinstance(request, Stop):
        os._exit(0)
    return Taken(request, has_op=has_op)


def _die_with(parent: int) -> None:
    """Have Linux kill this process with its parent, also where a third process holds the other end of stdin open."""
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - ten milliseconds that a prompt by hand needn't wait for

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call, which then never fires
        os._exit(0)
