"""The book of a worker's runs: which attempts it holds, what is new of them, and when something changed.

One event loop owns it. The claimer waits on it for room, the flusher for news, the drain for its end.
"""

import asyncio
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from .admission import Load
from .run import Run
from .spans import Spans


class Book:
    """The attempts that a worker holds, from the claim's answer until Redis has their end.

    `on_touch` is called whenever something changed, and must not change the book.
    """

    def __init__(self, spans: Spans | None = None, *, on_touch: Callable[[], None] | None = None) -> None:
        self._spans = spans
        self._on_touch = on_touch
        self._runs: dict[str, Run] = {}
        self._changed = asyncio.Event()
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        """All runs, as they are now: the book may change while one looks."""
        return iter(tuple(self._runs.values()))

    def find(self, pipe_id: str) -> Run | None:
        """The run that the engine means; None for one that was fenced or is over."""
        return self._runs.get(pipe_id)

    def open(self, run: Run) -> None:
        """Begin to hold a run."""
        self._runs[run.pipe_id] = run
        if self._spans:
            self._spans.begin(run)
        self.touch()

    def close(self, run: Run) -> bool:
        """Hold it no more; False when it was not held."""
        was_held = self._runs.pop(run.pipe_id, None) is not None
        if self._spans:
            self._spans.end(run)
        self.touch()
        return was_held

    def let_go(self) -> None:
        """Let no run take in more: each is as it is told now, and another worker goes on from there."""
        for run in self:
            run.let_go()

    def entries(self) -> list[str]:
        """The queue entries that are held."""
        return [run.claimed.entry for run in self._runs.values()]

    def load(
        self,
        *,
        slots: int,
        prefill_tokens_per_second: float,
        is_short_of_memory: bool = False,
        cached: AbstractSet[str] = frozenset(),
    ) -> Load:
        """What an admission is decided on."""
        return Load(
            slots=slots,
            held=len(self._runs),
            prefill_tokens=sum(run.prefill_left for run in self._runs.values() if not run.steps_aside),
            aside_prefill_tokens=sum(run.prefill_left for run in self._runs.values() if run.steps_aside),
            prefill_tokens_per_second=prefill_tokens_per_second,
            holds_suspect=any(run.is_suspect for run in self._runs.values()),
            is_short_of_memory=is_short_of_memory,
            cached=cached,
        )

    def touch(self) -> None:
        """Something changed that a waiter may wait for."""
        self._changed.set()
        if self._on_touch:
            self._on_touch()

    def tell(self) -> None:
        """There is news to flush."""
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition on the book, or on what is announced by `touch`, holds."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def news(self, *, within_s: float) -> None:
        """Wait for news, or for so long."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return
        finally:
            self._news.clear()
