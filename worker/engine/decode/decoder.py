"""The decoder: takes rows, reads their prompts, decodes them together, and tells what was drawn."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import mlx.core as mx

from worker.engine.cache.cache import PromptCache

from .admission import (
    Demand,
    Room,
    cache_room,
    choose_group,
    chunk_size,
    free_seats,
    kv_tokens,
    spare_tokens,
    worth_tokens,
)
from .batch import Batch
from .device import free_buffers, is_gpu
from .drawn import Drawn
from .gauge import Gauge
from .lanes import Lanes
from .model import KV, Model, takes_padding, vocabulary_of, weight_bytes_of
from .pace import Pace
from .prefill import Prefill
from .pressure import Held, Pressure, too_many
from .reading import Reading, Waiting
from .recall import Recall
from .row import Row
from .settings import Settings

_WARM_UP_TOKENS = 32
# MLX's pool of freed buffers fragments as lengths grow; now and then it is emptied, as mlx-lm does.
_STEPS_PER_CLEARING = 512
# Of the memory beside the weights, what the prompt cache may fill where nobody says how much.
_CACHE_SHARE = 4
# Fewer tell more of a call's fixed cost than of the pace.
_LEAST_MEASURED = 32


class Admitted(NamedTuple):
    """A row that got a slot, and how many of its ids need not be read."""

    key: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a row's prefill has come, in ids."""

    key: int
    done: int
    total: int


class Decoder:
    """Slots, and the rows that wait for one. All its methods belong to the one thread that owns MLX."""

    def __init__(
        self,
        model: Model,
        *,
        ends: Collection[int],
        slots: int,
        prefill_step: int,
        cache_bytes: int | None = 0,
        gauge: Gauge | None = None,
        is_ahead: bool = True,
        may_guess: bool = True,
        may_part: bool = True,
    ) -> None:
        """`cache_bytes` is the prompt cache's cap; None is a share of what `warm_up` finds free.

        `gauge` knows the memory; None: all that the device has may be used. `is_ahead` is the batch's. `may_guess`
        lets a lone row guess at its next ids where that pays, `may_part` rows of unlike lengths decode in lanes.
        """
        self._model = model
        self.gauge = gauge or Gauge()
        self.vocabulary = vocabulary_of(model)
        # Some kinds of caches can't be merged: such a model is served one row at a time.
        self.slots = slots if KV.fresh(model).can_merge else 1
        self._takes_padding = True
        self.steps = 0
        self._cache_bytes = cache_bytes
        self._recall = Recall(model, PromptCache(cache_bytes or 0))
        self._pace = Pace()
        self._prefill_step = prefill_step
        self._kv_tokens: int | None = None
        self._bytes_per_token = 0
        self._waiting = Waiting()
        self._may_part = may_part
        self._reading = Reading()
        known = [end for end in ends if end < self.vocabulary]  # a tokenizer may have others, which are never drawn
        self._lanes = Lanes(lambda: Batch(model, known, is_ahead=is_ahead, may_guess=may_guess))

    @property
    def busy(self) -> int:
        """How many slots are occupied, by rows that decode or are being read."""
        return len(self._lanes) + sum(len(prefill.rows) for prefill in self._reading)

    @property
    def waiting(self) -> int:
        """How many rows have no slot yet."""
        return len(self._waiting)

    @property
    def tokens_to_read(self) -> int:
        """How many prompt ids are still to be computed."""
        return sum(prefill.tokens_to_read for prefill in self._reading) + sum(len(row.ids) - 1 for row in self._waiting)

    @property
    def prefill_tokens_per_second(self) -> float:
        """How fast prompts were read of late."""
        return self._pace.tokens_per_second

    @property
    def kv_bytes(self) -> int:
        """Memory that all rows' state holds, in bytes."""
        return self._lanes.kv_bytes + sum(prefill.kv_bytes for prefill in self._reading)

    @property
    def pressure(self) -> Pressure:
        """How short memory is."""
        return self.gauge.pressure

    @property
    def prompt_cache(self) -> PromptCache[KV]:
        """What is kept of rows that have left, for the figures."""
        return self._recall.cache

    @property
    def wants_boundaries(self) -> bool:
        """Whether rows should say after which ids their state is worth keeping."""
        return self._recall.wants_boundaries

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to compute."""
        return not self.busy and not self._waiting

    def add(self, row: Row) -> None:
        """Take a row in; it waits for a slot."""
        self._waiting.add(row)

    def drop(self, keys: Collection[int]) -> None:
        """Let these rows go wherever they are; their slots are free at once. What they have read is kept for others."""
        self._waiting.drop(keys)
        self._reading.drop(keys)
        self._keep_state(keys)
        self._lanes.leave(keys, spare_tokens=spare_tokens(self._room()))
        self._recall.forget(keys)

    def relieve(self) -> list[int]:
        """Look after the memory, a few times a second: let go of what is only kept, and tell the rows that must leave.

        Those are still here: the caller drops them, for somebody else to go on with.
        """
        if not self.gauge.is_due:
            return []
        self.gauge.read(self._spare, is_idle=self.is_idle)
        return too_many(self.gauge.used_bytes, self.gauge.limit_bytes, self._held()) if self.pressure == "hard" else []

    def admit(self) -> list[Admitted]:
        """Give slots to the rows whose turn it is; tell which. Their prompts are read by `prefill`."""
        if self._reading.has_group or not self._waiting or self.busy == self.slots:
            return []
        chunk = self._chunk(waiting=len(self._waiting))
        rows = self._choose(chunk)
        if not rows:
            return []
        self._waiting.take(rows)
        starts = [self._recall.start(row) for row in rows]
        prefill = Prefill(self._model, starts, self._recall)
        self._reading.begin(prefill, is_long=prefill.to_read > chunk)
        self._make_room()
        return [Admitted(start.row.key, start.cached) for start in starts]

    def decode(self) -> list[Drawn]:
        """Take one step; tell what the rows have drawn. The caller drops ended rows before the next."""
        drawn = self._lanes.step()
        self._recall.note(drawn)
        self.steps += bool(drawn)
        if drawn and self.steps % _STEPS_PER_CLEARING == 0:
            mx.clear_cache()
        return drawn

    def prefill(self) -> list[Progress]:
        """Read one chunk; rows that are read join the batch. Tells how far those of several chunks have come."""
        prefill = self._reading.next()
        if prefill is None:
            return []
        is_long = self._reading.is_long(prefill)
        self._read_chunk(prefill, is_long=is_long)
        progress = [Progress(row.key, prefill.done + 1, prefill.total + 1) for row in prefill.rows] if is_long else []
        if prefill.is_done:
            self._lanes.join(prefill.rows, prefill.finished(), spare_tokens=spare_tokens(self._room()))
            self._reading.end(prefill)
        return progress

    def warm_up(self) -> None:
        """Run a row through every stage once, so that the first request finds kernels compiled and sizes measured."""
        self._recall = Recall(self._model, PromptCache(0))
        self._takes_padding = self.slots > 1 and takes_padding(self._model)
        sampled = Settings(temperature=0.7, top_k=40, top_p=0.95, repeat_penalty=1.1)
        for _ in range(2):
            self._pace = Pace()  # the first time kernels are compiled, which tells nothing
            self.add(Row(key=0, ids=[0] * (_WARM_UP_TOKENS + 1), drawn=0, limit=1, settings=sampled))
            self.admit()
            while not self.decode():
                self.prefill()
            self._bytes_per_token = self._lanes.bytes_per_token
            self.drop({0})
        free_buffers()  # what loading has left
        room_bytes = self.gauge.room_bytes()
        self._kv_tokens = kv_tokens(room_bytes, self._bytes_per_token)
        if self._may_part:
            weight_bytes = weight_bytes_of(self._model)
            self._lanes.worth_tokens = worth_tokens(weight_bytes, self._bytes_per_token, is_gpu=is_gpu())
        cap = room_bytes // _CACHE_SHARE if self._cache_bytes is None else self._cache_bytes
        self._recall = Recall(self._model, PromptCache(cap))
        self.steps = 0

    def _choose(self, chunk: int) -> list[Row]:
        """The waiting rows to read next."""
        demands = [(row, Demand(to_read=self._recall.to_read(row), longest=row.longest)) for row in self._waiting]
        # While a long prompt is on its way, only those that fit in one chunk may pass it, or whom it steps aside for.
        may = [each for each in demands if self._reading.may_begin(each[0], is_long=each[1].to_read > chunk)]
        if not self._takes_padding:
            may = may[:1]  # prompts are read one by one then, and decoded together all the same
        places = choose_group([demand for _, demand in may], self._room(), chunk)
        return [may[place][0] for place in places]

    def _held(self) -> list[Held]:
        """The rows that hold a slot, the oldest first."""
        lanes = self._lanes
        decoding = [Held(row.key, lanes.share_bytes(row.key), lanes.fed(row.key)) for row in lanes.rows]
        return decoding + [
            Held(row.key, prefill.kv_bytes // len(prefill.rows), prefill.done)
            for prefill in self._reading
            for row in prefill.rows
        ]

    def _spare(self, wanted_bytes: int) -> None:
        """Let go of everything that is free, and of so much of the prompt cache."""
        self.prompt_cache.bound(self.prompt_cache.held_bytes - wanted_bytes)
        free_buffers()

    def _keep_state(self, keys: Collection[int]) -> None:
        """Keep the states of rows that are about to leave the batch."""
        if not self.prompt_cache.is_on:
            return
        for row in self._lanes.rows:
            if row.key in keys:
                self._recall.keep(row, self._lanes.fed(row.key), partial(self._lanes.state_of, row.key))

    def _make_room(self) -> None:
        """Let go of what the prompt cache holds where rows may come to need the memory, or somebody else does."""
        if self.prompt_cache.is_on:
            held = self.prompt_cache.held_bytes
            spare = cache_room(self._room(), self._bytes_per_token)
            free = held + self.gauge.room_bytes() // 2
            self.prompt_cache.bound(free if spare is None else min(spare, free))

    def _read_chunk(self, prefill: Prefill, *, is_long: bool) -> None:
        before = time.perf_counter()
        tokens = prefill.advance(self._chunk(waiting=0) if is_long else prefill.to_read)
        if tokens >= _LEAST_MEASURED or (tokens and not self._pace.tokens_per_second):
            self._pace.note(tokens, time.perf_counter() - before)

    def _chunk(self, *, waiting: int) -> int:
        return chunk_size(
            tokens_per_second=self._pace.tokens_per_second,
            step=self._prefill_step,
            decoding=len(self._lanes),
            waiting=waiting,
        )

    def _room(self) -> Room:
        rows = [*self._lanes.rows, *(row for prefill in self._reading for row in prefill.rows)]
        free = free_seats(self.slots, self.busy, is_short=bool(self.pressure))
        return Room(free, self._kv_tokens, sum(row.longest for row in rows) + self._lanes.padding)
