"""An engine over its pipe, kept as busy as wanted."""

import contextlib
import itertools
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from msgspec.structs import replace

from bench.rig import engine as process
from bench.rig.process import Died
from worker.engine.wire import AnyReply, Done, Error, Generate, Ready, Started, Token

from .answer import Answer, Piece

Blas = Literal["reference", "openblas"]
BLAS: tuple[Blas, ...] = get_args(Blas)


class Engine:
    """A running engine, asked by one thread."""

    def __init__(self, running: process.Engine) -> None:
        self._process = running
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
        self._process.say(replace(ask, id=name))
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
        reply = self._process.hear().reply
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
    with process.engine(folder, "--slots", str(slots), env=environment_of(blas)) as running:
        yield Engine(running)
