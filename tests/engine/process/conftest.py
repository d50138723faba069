"""The MLX engine as a process, on the tiny model and on the reference BLAS, where batching and resuming are exact."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import pytest
from msgspec.structs import replace

from worker.engine.wire import (
    AnyReply,
    Done,
    Error,
    Generate,
    Prefill,
    Ready,
    Request,
    Started,
    Token,
    decode_reply,
    encode_line,
)

PATIENCE_S = 60


@dataclass
class Answer:
    """What one request was answered."""

    started: Started | None = None
    prefills: list[Prefill] = field(default_factory=list[Prefill])
    tokens: list[Token] = field(default_factory=list[Token])
    end: Done | Error | None = None

    @property
    def text(self) -> str:
        """All text, in order."""
        return "".join(token.content for token in self.tokens)

    @property
    def ids(self) -> list[int]:
        """All generated ids, in order."""
        return [token for reply in self.tokens for token in reply.tokens]

    @property
    def done(self) -> Done:
        """How it ended, which was well."""
        assert isinstance(self.end, Done), self.end
        return self.end

    @property
    def error(self) -> Error:
        """How it ended, which was not well."""
        assert isinstance(self.end, Error), self.end
        return self.end


class Engine:
    """A process and its pipes; a thread reads, so that waiting has a limit."""

    def __init__(
        self,
        model: Path,
        *flags: str,
        env: dict[str, str] | None = None,
        program: Sequence[str] = ("-m", "worker.engine"),
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *program, "--model", str(model), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"MLX_POOL_BLAS": "reference"} | (env or {}),
        )
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._count = 0
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, *requests: Request | bytes) -> None:
        """Write requests, or raw lines, at once."""
        assert self.process.stdin
        self.process.stdin.write(b"".join(one if isinstance(one, bytes) else encode_line(one) for one in requests))
        self.process.stdin.flush()

    def hang_up(self) -> None:
        """Close its stdin."""
        assert self.process.stdin
        self.process.stdin.close()

    def hear(self) -> bytes:
        """The next line, or nothing at the end."""
        return self._lines.get(timeout=PATIENCE_S)

    def hear_until(self, is_last: Callable[[AnyReply], bool]) -> list[AnyReply]:
        """Replies up to one that fits."""
        replies: list[AnyReply] = []
        while not (replies and is_last(replies[-1])):
            line = self.hear()
            assert line, self.errors()
            replies.append(decode_reply(line))
        return replies

    def hear_ready(self) -> Ready:
        """Wait until it is ready."""
        ready = self.hear_until(lambda reply: isinstance(reply, Ready))[-1]
        assert isinstance(ready, Ready)
        return ready

    def ask(self, *requests: Generate) -> list[Answer]:
        """Ask all at once, and wait for every answer; ids are given here."""
        answers: dict[str, Answer] = {}
        for request in requests:
            self._count += 1
            answers[str(self._count)] = Answer()
            self.write(replace(request, id=str(self._count)))
        self.hear_until(lambda reply: _file(reply, answers) and all(answer.end for answer in answers.values()))
        return list(answers.values())

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE_S)

    def errors(self) -> str:
        """What it has written to stderr, once it has ended."""
        assert self.process.stderr
        return self.process.stderr.read().decode()

    def kill(self) -> None:
        """End it, whatever it does, and close the pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")


def _file(reply: AnyReply, answers: dict[str, Answer]) -> bool:
    """Put a reply where it belongs; tell whether it ended an answer."""
    answer = answers.get(getattr(reply, "id", ""))
    if answer is None:
        return False
    assert answer.end is None, f"{reply} after the end"
    match reply:
        case Started():
            answer.started = reply
        case Prefill():
            answer.prefills.append(reply)
        case Token():
            answer.tokens.append(reply)
        case Done() | Error():
            answer.end = reply
        case _:
            raise AssertionError(reply)
    return answer.end is not None


@pytest.fixture(scope="session")
def engine(tiny_model: Path) -> Iterator[Engine]:
    """A running engine that many tests ask; each leaves it idle."""
    engine = Engine(tiny_model, "--context", "2048", "--prefill-step", "64")
    engine.hear_ready()
    yield engine
    engine.kill()


@pytest.fixture
def start_engine(tiny_model: Path) -> Iterator[Callable[..., Engine]]:
    """Start an engine of the test's own: `start_engine(*flags, model=…, env=…)`."""
    engines: list[Engine] = []

    def start(*flags: str, model: Path = tiny_model, env: dict[str, str] | None = None) -> Engine:
        engines.append(Engine(model, *flags, env=env))
        return engines[-1]

    yield start
    for engine in engines:
        engine.kill()
