"""The row that has the batch to itself: the step that checks a guess at its next ids.

A guess is fed together with the last id, one position each. Every position is drawn by the row's own settings,
penalties and noise, so what is kept is what single steps would have drawn: the ids up to the first that was guessed
wrong, and the right one in its place.
"""

import time
from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from .controls import controls_of
from .guessing import Guessing
from .lookup import Lookup
from .model import KV, Model
from .recent import Recent
from .row import Row
from .sampling import draw


class Alone:
    """A lone row, all its ids that the host knows, and how guesses at the next ones fared."""

    def __init__(self, row: Row, told: Sequence[int]) -> None:
        self._row = row
        self._lookup = Lookup([*row.ids, *told])
        self._guessing = Guessing()

    @property
    def is_promising(self) -> bool:
        """Whether its last ids stood together before, and guessing pays."""
        return bool(self._guessing.most and self._lookup.guess(1))

    def guess(self, position: int) -> Sequence[int]:
        """What may come at and behind this position; nothing where that is not worth a try."""
        most = min(self._guessing.most, self._row.limit - position - 1)
        return self._lookup.guess(most) if most > 0 else ()

    def check(self, model: Model, kv: KV, guess: Sequence[int], position: int, ends: mx.array) -> list[int]:
        """Draw as far as the guess is right, and one id more; the state has then read all ids but that one."""
        began = time.perf_counter()
        fed = [self._lookup.last, *guess]
        logits = kv.forward(model, mx.array([fed], dtype=mx.uint32))[0]
        controls = controls_of([self._row.settings] * len(fed))
        recent = None
        if controls.penalties is not None:
            recent = Recent.of([([*self._tail, *fed[1 : at + 1]], self._row.settings) for at in range(len(fed))])
            recent.push(mx.array(fed))
        positions = position + np.arange(len(fed), dtype=np.int64)
        drawn: list[int] = draw(logits, controls, recent, positions, ends).tolist()  # pyright: ignore[reportAssignmentType] one axis
        right = next((at for at, token in enumerate(guess) if drawn[at] != token), len(guess))
        kv.rewind(len(guess) - right)
        self._guessing.note_guessed(time.perf_counter() - began, guessed=len(guess), drawn=right + 1)
        return drawn[: right + 1]

    def extend(self, told: Sequence[int]) -> None:
        """Take in what was told."""
        self._lookup.extend(told)

    def note_step(self, seconds: float) -> None:
        """Take in what a step without a guess took."""
        self._guessing.note_plain(seconds)

    def recent_after(self, drawn: Sequence[int]) -> Recent:
        """The ring that penalties look at when these were drawn, the last of which the next step pushes."""
        return Recent.of([([*self._tail, *drawn], self._row.settings)])

    @property
    def _tail(self) -> Sequence[int]:
        """As many last ids as penalties look at, and the one that is fed next."""
        return self._lookup.tail(self._row.settings.repeat_last_n + 1)
