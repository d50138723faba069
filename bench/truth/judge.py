"""The judge of two answers to one ask: byte-equal, near-tie-equal, or worse. With a model of its own.

It reads prompt and ids in one plain float32 pass on the CPU: no batch, no cache, no id drawn by the engine's sampler.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import mlx.core as mx
import numpy as np

from worker.engine.decode.settings import Settings, settings_of
from worker.engine.load import Loaded, load_model
from worker.engine.text.prompt import prompt_of
from worker.engine.text.tokenizer import Tokenizer
from worker.engine.wire import Generate

from .contest import Floats, Turn, gap_of

NEAR_TIE = 1e-3  # of logit/T: what rounding explains in float32. More is a bug.


class Judge:
    """A model's judge. The model is loaded when answers part for the first time, which they may never do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def gap(self, ask: Generate, one: Sequence[int], other: Sequence[int]) -> float:
        """Give the larger of both ids' gaps where two answers' ids first differ; infinity if one only ends earlier.

        `ask` has a seed, which both answers were drawn with.
        """
        at = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        if at is None:
            return np.inf
        return max(self._gaps(ask, one[:at], (one[at], other[at])))

    def gap_at(self, ask: Generate, ids: Sequence[int], at: int) -> float:
        """Give the gap of an answer's id with index `at` alone."""
        return self._gaps(ask, ids[:at], (ids[at],))[0]

    def prompt(self, ask: Generate) -> list[int]:
        """Give the ids of an ask's prompt."""
        return prompt_of(ask, self._tokenizer, vocabulary=self._vocabulary, now_ms=ask.enqueued_at_ms or 0).ids

    def logits(self, ids: Sequence[int]) -> Floats:
        """Give what the model makes of these ids: the logits of the next one."""
        with mx.stream(mx.cpu):
            model = cast("Callable[[mx.array], mx.array]", self._loaded.model)
            logits = model(mx.array([list(ids)]))[0, -1]
            assert logits.dtype == mx.float32, "memory did not suffice for float32 weights"
            return np.array(logits, dtype=np.float32)

    def _gaps(self, ask: Generate, before: Sequence[int], tokens: Sequence[int]) -> list[float]:
        ids = [*self.prompt(ask), *before]
        turn = Turn(settings=self._settings(ask), ids=ids, drawn=len(before), ends=self._tokenizer.ends)
        logits = self.logits(ids)
        return [gap_of(token, logits, turn) for token in tokens]

    def _settings(self, ask: Generate) -> Settings:
        assert ask.seed is not None
        return settings_of(ask, seed=ask.seed, vocabulary=self._vocabulary)

    @functools.cached_property
    def _loaded(self) -> Loaded:
        with mx.stream(mx.cpu):
            return load_model(self._folder, progress=lambda _message, _progress: None)

    @functools.cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self._loaded.tokenizer)

    @functools.cached_property
    def _vocabulary(self) -> int:
        return len(self.logits([0]))
