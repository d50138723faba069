"""What rows have read, kept for the rows that come: the prompt cache as the decoder uses it.

A state is kept when its row leaves, wherever it is then; when a long prompt has been read, since others may come with
the same; and, where states can't be trimmed, at the row's boundaries. It is copied before a row goes on from it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from worker.engine.cache.cache import LEAST_TOKENS, PromptCache
from worker.engine.cache.served import served

from .drawn import Drawn
from .model import KV, Model
from .row import Row


@dataclass(frozen=True, slots=True)
class Start:
    """A row with the state that it goes on from, which is its own, and how many of its ids that has read."""

    row: Row
    kv: KV
    cached: int


class Recall:
    """Finds what rows start with, and keeps what they have come to."""

    def __init__(self, model: Model, cache: PromptCache[KV]) -> None:
        self.cache = cache
        self._model = model
        self._drawn: dict[int, list[int]] = {}  # of each row in the batch, by key

    @property
    def wants_boundaries(self) -> bool:
        """Whether rows should say where their state is worth keeping: it can't be trimmed to there later."""
        return self.cache.is_on and not KV.fresh(self._model).can_always_trim

    def to_read(self, row: Row) -> int:
        """How many ids would have to be read before the row can join the batch, which feeds the last one itself."""
        known = self.cache.known(row.tenant, row.ids[:-1])
        return len(row.ids) - 1 - (known if known >= LEAST_TOKENS else 0)

    def start(self, row: Row) -> Start:
        """Let a row go on from what is nearest to it, or from nothing."""
        hit = self.cache.find(row.tenant, row.ids[:-1])
        if hit is None:
            return Start(row, KV.fresh(self._model), 0)
        kv = hit.state.copy()
        if hit.surplus:
            kv.trim(hit.surplus)
        return Start(row, kv, hit.tokens)

    def note(self, drawn: Sequence[Drawn]) -> None:
        """Remember the ids that rows have drawn, as they stand in the state with the others."""
        if self.cache.is_on:
            for each in drawn:
                self._drawn.setdefault(each.key, []).append(each.token)

    def keep(self, row: Row, fed: int, state: Callable[[], KV]) -> None:
        """Keep the state that has read the row's first `fed` ids; it is asked for only where it is worth keeping.

        Else what is kept already serves this row's like as well, and bears its labels from now on.
        """
        if not self.cache.has_room or fed < LEAST_TOKENS:
            return
        ids = [*row.ids, *self._drawn.get(row.key, ())][:fed]
        assert len(ids) == fed, "an id that was fed has been told before"
        labels = partial(served, row.prefixes, prompt=row.prompt, read=fed)
        if fed - self.cache.known(row.tenant, ids) >= LEAST_TOKENS:
            kept = state()
            self.cache.store(row.tenant, ids, kept, labels(can_trim=kept.can_trim))
        else:
            self.cache.label(row.tenant, ids, labels(can_trim=False))

    def forget(self, keys: Collection[int]) -> None:
        """Let go of what rows have drawn that are no more."""
        for key in keys:
            self._drawn.pop(key, None)
