"""What the engine says, taken into the runs that it is said of: the pipe's side of an incarnation. No I/O."""

from collections.abc import Callable, Iterable

from shared.event import Error

from . import translate
from .admission import Load
from .book import Book
from .engine import wire
from .run import Run
from .served import Served


class Hearing:
    """Listens to the engine for one incarnation; `silence` stops the engine's work on a run that is over."""

    def __init__(self, book: Book, worker_id: str, *, served: Served, silence: Callable[[Run], None]) -> None:
        self.stats: wire.Stats | None = None  # the last ones
        self._served = served
        self._book = book
        self._worker_id = worker_id
        self._silence = silence

    def hear(self, replies: Iterable[wire.AnyReply]) -> None:
        """Take in what was said; lines of runs that are no longer held are dropped."""
        for reply in replies:
            if isinstance(reply, wire.Stats):
                self.stats = reply
                self._book.touch()
            elif isinstance(reply, wire.Cached):
                self._served.hear(reply)
            elif not isinstance(reply, (wire.Loading, wire.Ready)) and (run := self._book.find(reply.id)):
                self._hear_of(run, reply)
        self._book.tell()

    def load(self, *, slots: int) -> Load:
        """What an admission is decided on."""
        told = self.stats or wire.Stats(slots=slots, busy=0)
        rate = told.prefill_tokens_per_second
        return self._book.load(
            slots=slots,
            prefill_tokens_per_second=rate,
            is_short_of_memory=bool(told.pressure),
            cached=self._served.hashes,
        )

    def _hear_of(
        self, run: Run, reply: wire.Started | wire.Prefill | wire.Token | wire.Done | wire.Error | wire.HandedBack
    ) -> None:
        match reply:
            case wire.Started():
                self._hear_started(run, reply)
            case wire.Prefill():
                run.prefill_left = max(0, reply.total - reply.done)
                self._book.touch()
            case wire.Token():
                if run.prefill_left:
                    self._book.touch()  # its prompt is read: there may be room for the next
                run.add(translate.token_event(reply))
            case wire.Done():
                run.add(translate.done_event(reply, run))
            case wire.Error():
                run.add(translate.error_event(reply))
            case wire.HandedBack():
                run.hand_back(has_no_room=reply.alone)

    def _hear_started(self, run: Run, reply: wire.Started) -> None:
        run.prompt_tokens = reply.prompt_tokens
        run.prefill_left = reply.prompt_tokens + len(run.past.tokens) - reply.cached_tokens
        if run.past.prompt_hash is not None and run.past.prompt_hash != reply.prompt_hash:
            # Another template or tokenizer than the first attempt's: what follows would not fit what was told.
            self._silence(run)
            run.add(Error(code="stream_diverged", message="The workers of this queue read the prompt differently."))
            return
        run.add(translate.started_event(reply, run, self._worker_id))
