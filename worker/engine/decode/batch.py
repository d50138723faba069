"""The batch: one decode step for all occupied slots at once.

On a GPU each step is computed one ahead: step n + 1 is handed to the device before the host reads what step n drew, so
the device works while the host turns ids into text. A row that turns out to have ended has then been computed once in
vain; nothing of that is seen, as `leave` drops it. On a CPU, where handing over a step takes as long as computing it,
that would only make every id late.

With guided rows only the forward pass runs ahead: what may be drawn next is known when the host has read what was
drawn last, and the device works meanwhile.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from .controls import Controls, controls_of
from .masks import masks_of
from .model import KV, Model
from .recent import Recent
from .row import Row
from .sampling import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Batch:
    """Rows that decode together. Rows join and leave between steps."""

    def __init__(self, model: Model, ends: Collection[int], *, is_ahead: bool) -> None:
        self._model = model
        self._is_ahead = is_ahead
        self._ends = mx.array(sorted(ends), dtype=mx.int32)
        self._rows: list[Row] = []
        self._is_new: list[bool] = []  # its flying id is the prompt's last: fed like a drawn one, but never told
        self._positions: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # ids generated, the flying one included
        self._flying: mx.array | None = None  # [rows]: the ids to feed next, known to the host or still being drawn
        self._controls: Controls | None = None
        self._recent: Recent | None = None
        self._kv: KV | None = None

    def __len__(self) -> int:
        """How many slots are occupied."""
        return len(self._rows)

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, in the order of their slots."""
        return self._rows

    @property
    def kv_bytes(self) -> int:
        """Memory that the rows' state holds, in bytes."""
        return self._kv.kv_bytes if self._kv else 0

    @property
    def bytes_per_token(self) -> int:
        """What one more token of one row takes; 0 while there are no rows."""
        return self._kv.bytes_per_token if self._kv else 0

    def fed(self, key: int) -> int:
        """How many of a row's ids, prompt and generated, its state has read."""
        place = self._place(key)
        row = self._rows[place]
        return len(row.ids) - row.drawn + int(self._positions[place]) - 1

    def state_of(self, key: int) -> KV:
        """A copy of a row's state, to be kept when it has left."""
        assert self._kv is not None
        return self._kv.row(self._place(key))

    def join(self, rows: Sequence[Row], kv: KV) -> None:
        """Seat rows whose ids but the last have been read into `kv`."""
        flying = mx.array([row.ids[-1] for row in rows], dtype=mx.uint32)
        recent = Recent.of([(row.ids, row.settings) for row in rows])
        if self._kv is None or self._flying is None or self._recent is None:
            self._kv, self._flying, self._recent = kv, flying, recent
        else:
            self._kv.extend(kv)
            self._flying = mx.concatenate([self._flying, flying])
            self._recent = self._recent.joined(recent)
        self._rows = [*self._rows, *rows]
        self._is_new = [*self._is_new, *[True] * len(rows)]
        self._positions = np.append(self._positions, [row.drawn for row in rows])
        self._controls = controls_of([row.settings for row in self._rows])

    def leave(self, keys: Collection[int]) -> None:
        """Free the slots of these rows; the others go on undisturbed."""
        keep = [place for place, row in enumerate(self._rows) if row.key not in keys]
        if len(keep) == len(self._rows):
            return
        self._rows = [self._rows[place] for place in keep]
        self._is_new = [self._is_new[place] for place in keep]
        self._positions = self._positions[keep]
        if not keep:
            self._kv = self._flying = self._recent = self._controls = None
            return
        assert self._kv is not None
        assert self._flying is not None, "a row that may go on has an id on its way"
        assert self._recent is not None
        self._kv.keep(keep)
        self._flying = self._flying[mx.array(keep)]
        self._recent = self._recent.kept(keep)
        self._controls = controls_of([row.settings for row in self._rows])

    def step(self) -> list[tuple[int, int]]:
        """Compute one more id for each row; tell (row's key, id) for each row that has an untold one.

        The caller takes out with `leave` whatever has ended before the next step: at the latest a row at its limit.
        """
        if self._flying is None:
            return []
        return self._step_ahead(self._flying) if self._is_ahead else self._step(self._flying)

    def _step(self, known: mx.array) -> list[tuple[int, int]]:
        self._flying = self._draw(self._forward(known))
        self._is_new = [False] * len(self._rows)
        return self._tell(_read(self._flying))

    def _step_ahead(self, known: mx.array) -> list[tuple[int, int]]:
        logits = self._forward(known) if self._can_go_on() else None
        if not self._is_guided:
            self._flying = None if logits is None else self._draw(logits)
            return self._tell(_read(known))
        told = self._tell(_read(known))
        self._flying = None if logits is None else self._draw(logits)
        return told

    def _place(self, key: int) -> int:
        return next(place for place, row in enumerate(self._rows) if row.key == key)

    def _can_go_on(self) -> bool:
        return any(int(at) < row.limit for at, row in zip(self._positions, self._rows, strict=True))

    @property
    def _is_guided(self) -> bool:
        return any(row.guide is not None for row in self._rows)

    def _tell(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Pair ids with their rows, lead the guides on, and leave out what was no draw but a prompt's last id."""
        told = [(row, token) for row, token, is_new in zip(self._rows, ids, self._is_new, strict=True) if not is_new]
        for row, token in told:
            if row.guide is not None:
                row.guide.advance(token)
        self._is_new = [False] * len(self._rows)
        return [(row.key, token) for row, token in told]

    def _forward(self, tokens: mx.array) -> mx.array:
        """Feed an id a row; the logits of the next, [rows, vocabulary]."""
        assert self._kv is not None
        assert self._controls is not None
        assert self._recent is not None
        if self._controls.penalties is not None:
            self._recent.push(tokens)
        logits = self._kv.forward(self._model, tokens[:, None])[:, -1, :]
        if self._is_guided:
            mx.async_eval(logits)  # the device computes while the host asks the guides
        return logits

    def _draw(self, logits: mx.array) -> mx.array:
        assert self._controls is not None
        assert self._recent is not None
        masks = masks_of([row.guide for row in self._rows], logits.shape[1]) if self._is_guided else None
        drawn = draw(logits, self._controls, self._recent, self._positions, self._ends, masks=masks)
        # The rings too: without penalties nobody looks at them, and joins and leaves would pile up uncomputed.
        mx.async_eval(drawn, self._recent.ids)
        self._positions = self._positions + 1
        return drawn


def _read(tokens: mx.array) -> list[int]:
    return tokens.tolist()  # pyright: ignore[reportReturnType] a list of ints, as there is one axis
