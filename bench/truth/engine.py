"""An engine over its pipe, kept as busy as wanted."""

import contextlib
import itertools
import subprocess
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Literal, get_args

from msgspec.structs import replace

from bench.rig.process import ROOT, Died, environment, python
from worker.engine.wire import AnyReply, Done, Error, Generate, Ready, Started, Token, decode_reply, encode_line

from .answer import Answer, Piece

Blas = Literal["reference", "openblas"]
BLAS: tuple[Blas, ...] = get_args(Blas)
# It says how it is once a second, so that silence is a hang; loading and warming up may take a while.
_PATIENCE_S = 120.0


class Engine:
    """A running engine, asked by one thread."""

    def __init__(self, requests: IO[bytes], lines: "SimpleQueue[bytes]") -> None:
        self._requests = requests
        self._lines = lines
        self._numbers = itertools.count(1)
        self.note = self._hear_ready().note

    def answer(self, asks: Sequence[Generate], widths: Iterator[int]) -> list[Answer]:
        """Have all asks answered, as many at once as `widths` says; it is asked again after each one's end."""
        waiting = list(enumerate(asks))[::-1]
        running: dict[str, tuple[int, _Story]] = {}
        answers: dict[int, Answer] = {}
        while len(answers) < len(asks):
            width = next(widths)
            while waiting and len(running) < width:
                place, ask = waiting.pop()
                running[self._begin(ask)] = place, _Story()
            ended = self._hear_one_end({name: story for name, (_, story) in running.items()})
            place, story = running.pop(ended)
            answers[place] = story.answer()
        return [answers[place] for place in range(len(asks))]

    def _begin(self, ask: Generate) -> str:
        name = f"truth/{next(self._numbers)}"
        self._requests.write(encode_line(replace(ask, id=name)))
        self._requests.flush()
        return name

    def _hear_one_end(self, stories: dict[str, "_Story"]) -> str:
        """Hear replies up to the next end of one of these; tell whose it was."""
        while True:
            reply = self._hear()
            name = getattr(reply, "id", "")
            if story := stories.get(name):
                story.take(reply)
                if isinstance(reply, Done):
                    return name

    def _hear_ready(self) -> Ready:
        while not isinstance(reply := self._hear(), Ready):
            pass
        return reply

    def _hear(self) -> AnyReply:
        line = self._lines.get(timeout=_PATIENCE_S)
        if not line:
            raise Died("the engine ended")
        reply = decode_reply(line)
        if isinstance(reply, Error):
            raise Died(f"the engine refused: {reply.message}")
        return reply


class _Story:
    """What has been told of one ask so far."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._pieces: list[Piece] = []
        self._done: Done | None = None

    def take(self, reply: AnyReply) -> None:
        match reply:
            case Started():
                self._started = reply
            case Token():
                self._pieces.append(Piece(reply.content, tuple(reply.tokens)))
            case Done():
                self._done = reply
            case _:
                pass

    def answer(self) -> Answer:
        assert self._started
        assert self._done
        return Answer(
            self._started.prompt_hash, tuple(self._pieces), self._done.reason, self._done.usage.completion_tokens
        )


def environment_of(blas: Blas) -> dict[str, str]:
    """What chooses a BLAS for a process; a fast one is taken only where there is one."""
    return {"MLX_POOL_BLAS": "reference"} if blas == "reference" else {}


@contextlib.contextmanager
def engine(folder: Path, blas: Blas, *, slots: int) -> Generator[Engine]:
    """Run an engine in the block; `note` says on which BLAS it really is."""
    command = python("worker.engine", "--model", str(folder), "--slots", str(slots))
    pipe, env = subprocess.PIPE, environment(environment_of(blas))
    lines: SimpleQueue[bytes] = SimpleQueue()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, env=env) as child:
        assert child.stdin
        assert child.stdout
        pump = threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True)
        pump.start()
        try:
            yield Engine(child.stdin, lines)
        finally:
            child.kill()
            pump.join()  # before its pipe is closed under it; the child's end is the pipe's


def _pump(source: IO[bytes], lines: "SimpleQueue[bytes]") -> None:
    for line in source:
        lines.put(line)
    lines.put(b"")
