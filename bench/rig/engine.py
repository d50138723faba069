"""An engine over its pipe, with the time of every line."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import IO, NamedTuple

from worker.engine.wire import AnyReply, Request, decode_reply, encode_line

from .process import ROOT, Died, environment, python

# It says how it is once a second, so that silence is a hang; loading and warming up may take a while.
_PATIENCE_S = 120.0


class Heard(NamedTuple):
    """A reply, and when it came, on the clock of `time.monotonic`."""

    at_s: float
    reply: AnyReply


class Engine:
    """A running engine, spoken to by one thread."""

    def __init__(self, pid: int, requests: IO[bytes], lines: "SimpleQueue[tuple[float, bytes]]") -> None:
        self.pid = pid
        self._requests = requests
        self._lines = lines

    def say(self, request: Request) -> None:
        """Ask."""
        self._requests.write(encode_line(request))
        self._requests.flush()

    def hear(self) -> Heard:
        """Wait for the next reply."""
        at_s, line = self._lines.get(timeout=_PATIENCE_S)
        if not line:
            raise Died("the engine ended")
        return Heard(at_s, decode_reply(line))


@contextlib.contextmanager
def engine(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, module: str = "worker.engine"
) -> Generator[Engine]:
    """Run an engine in the block; `words` are further flags of it, `module` one that runs it in its own way."""
    command = python(module, "--model", str(folder), *words)
    pipe = subprocess.PIPE
    lines: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, env=environment(env or {})) as child:
        assert child.stdin
        assert child.stdout
        pump = threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True)
        pump.start()
        try:
            yield Engine(child.pid, child.stdin, lines)
        finally:
            child.kill()
            pump.join()  # before its pipe is closed under it; the child's end is the pipe's


def _pump(source: IO[bytes], lines: "SimpleQueue[tuple[float, bytes]]") -> None:
    for line in source:
        lines.put((time.monotonic(), line))
    lines.put((time.monotonic(), b""))
