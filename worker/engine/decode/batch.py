"""The batch: one decode step for all occupied slots at once.

Each step is computed one ahead: step n + 1 is handed to the device before the host reads what step n drew, so that the
device works while the host turns ids into text and describes the next step. A CPU is such a device too: MLX computes on
a thread of its own. A row that turns out to have ended has then been computed once in vain; nothing of that is seen, as
`leave` drops it. A row's first id does not wait for the step behind it, since somebody waits for that one. In lockstep
(`is_ahead` off) every id is read before the next step begins.

With guided rows only the forward pass runs ahead: what may be drawn next is known when the host has read what was
drawn last, and the device works meanwhile.

A row alone may guess at its next ids (`alone`), and then gets several in a step. A guess needs the last id, so nothing
runs ahead while guesses are worth it.
"""

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from .alone import Alone
from .controls import Controls, controls_of
from .drawn import Drawn, Likelihood
from .likelihood import Asking, asking_of
from .masks import masks_of
from .model import KV, Model
from .recent import Recent
from .row import Row
from .sampling import draw
from .seats import Flying, Seats

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Batch:
    """Rows that decode together. Rows join and leave between steps."""

    def __init__(self, model: Model, ends: Collection[int], *, is_ahead: bool, may_guess: bool = True) -> None:
        self.has_company = False  # of rows elsewhere, which wait for this one's steps: no guessing then
        self._model = model
        self._may_guess = may_guess
        self._is_ahead = is_ahead
        self._ends = mx.array(sorted(ends), dtype=mx.int32)
        self._rows: list[Row] = []
        self._told: list[list[int]] = []  # the ids that each row has drawn here
        self._is_told: list[bool] = []  # its flying id: the prompt's last is fed like a drawn one, but never told
        self._newcomers: set[int] = set()  # keys of rows that have drawn nothing here yet
        self._positions: NDArray[np.int64] = np.zeros(0, dtype=np.int64)  # ids generated, the flying one included
        self._flying: Flying | None = None
        self._controls: Controls | None = None
        self._recent: Recent | None = None
        self._kv: KV | None = None
        self._alone: Alone | None = None  # while there is one row, and it may guess
        self._asking: Asking | None = None

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

    @property
    def length(self) -> int:
        """How many ids the state of the row has read that has read most; 0 while there are no rows."""
        return max((self._fed_at(place) for place in range(len(self._rows))), default=0)

    @property
    def padding(self) -> int:
        """How many tokens of state belong to nobody, as all rows are as long as the longest."""
        return sum(self.length - self._fed_at(place) for place in range(len(self._rows)))

    def fed(self, key: int) -> int:
        """How many of a row's ids, prompt and generated, its state has read."""
        return self._fed_at(self._place(key))

    def state_of(self, key: int) -> KV:
        """A copy of a row's state, to be kept when it has left."""
        assert self._kv is not None
        return self._kv.row(self._place(key))

    @property
    def seats(self) -> Seats | None:
        """All rows as they are between two steps; None unless all of them have an id on its way."""
        if self._kv is None or self._flying is None or self._recent is None:
            return None
        return Seats(
            self._rows,
            self._kv,
            self._flying,
            self._recent,
            self._told,
            self._is_told,
            self._newcomers,
            self._positions,
        )

    def join(self, rows: Sequence[Row], kv: KV) -> None:
        """Seat rows whose ids but the last have been read into `kv`."""
        flying = Flying(mx.array([row.ids[-1] for row in rows], dtype=mx.uint32))
        recent = Recent.of([(row.ids, row.settings) for row in rows])
        drawn = np.array([row.drawn for row in rows], dtype=np.int64)
        told: list[list[int]] = [[] for _ in rows]
        self.take_over(Seats(rows, kv, flying, recent, told, [True] * len(rows), {row.key for row in rows}, drawn))

    def take_over(self, seats: Seats) -> None:
        """Seat rows as they were elsewhere, between two steps."""
        if self._kv is None or self._flying is None or self._recent is None:
            self._kv, self._flying, self._recent = seats.kv, seats.flying, seats.recent
        else:
            self._kv.extend(seats.kv)
            self._flying = self._flying.joined(seats.flying)
            self._recent = self._recent.joined(seats.recent)
        self._rows = [*self._rows, *seats.rows]
        self._told = [*self._told, *seats.told]
        self._is_told = [*self._is_told, *seats.is_told]
        self._newcomers |= seats.newcomers
        self._positions = np.append(self._positions, seats.positions)
        self._lay_out()

    def leave(self, keys: Collection[int]) -> None:
        """Free the slots of these rows; the others go on undisturbed."""
        keep = [place for place, row in enumerate(self._rows) if row.key not in keys]
        if len(keep) == len(self._rows):
            return
        self._rows = [self._rows[place] for place in keep]
        self._told = [self._told[place] for place in keep]
        self._is_told = [self._is_told[place] for place in keep]
        self._newcomers -= set(keys)
        self._positions = self._positions[keep]
        if not keep:
            self._kv = self._flying = self._recent = self._controls = self._alone = self._asking = None
            return
        assert self._kv is not None
        assert self._flying is not None, "a row that may go on has an id on its way"
        assert self._recent is not None
        self._kv.keep(keep)
        self._flying = self._flying._replace(ids=self._flying.ids[mx.array(keep)])
        self._recent = self._recent.kept(keep)
        self._lay_out()

    def step(self) -> list[Drawn]:
        """Compute one more id for each row; tell what each row that has an untold one, or some, has drawn.

        The caller takes out with `leave` whatever has ended before the next step: at the latest a row at its limit.
        """
        if self._flying is None:
            return []
        told = self._step_ahead(self._flying) if self._is_ahead else self._step(self._flying)
        return [*told, *self._tell_newcomers()]

    def _lay_out(self) -> None:
        """Note what steps need to know of the rows that are there now."""
        self._controls = controls_of([row.settings for row in self._rows])
        self._alone = self._find_alone()
        self._asking = asking_of(self._rows)

    def _step(self, known: Flying) -> list[Drawn]:
        self._newcomers.clear()
        if checked := self._check_a_guess():
            return self._tell_of(0, checked)
        began = time.perf_counter()
        self._flying = self._draw(self._forward(known.ids))
        self._is_told = [False] * len(self._rows)
        return self._tell(self._flying, began)

    def _step_ahead(self, known: Flying) -> list[Drawn]:
        began = time.perf_counter()
        if self._alone is not None and self._alone.is_promising and not self.has_company:
            told = self._tell(known)
            if checked := self._check_a_guess():
                return [*told, *self._tell_of(0, checked[:-1])]
            self._flying = self._draw(self._forward(known.ids)) if self._can_go_on() else None
            return told
        logits = self._forward(known.ids) if self._can_go_on() else None
        if not self._is_guided:
            self._flying = None if logits is None else self._draw(logits)
            return self._tell(known, began)
        told = self._tell(known)
        self._flying = None if logits is None else self._draw(logits)
        return told

    def _fed_at(self, place: int) -> int:
        row = self._rows[place]
        return row.prompt + int(self._positions[place]) - 1

    def _place(self, key: int) -> int:
        return next(place for place, row in enumerate(self._rows) if row.key == key)

    def _can_go_on(self) -> bool:
        return any(int(at) < row.limit for at, row in zip(self._positions, self._rows, strict=True))

    @property
    def _is_guided(self) -> bool:
        return any(row.guide is not None for row in self._rows)

    def _find_alone(self) -> Alone | None:
        if len(self._rows) != 1 or self._is_guided or self._kv is None or not self._kv.can_rewind:
            return None
        if self._rows[0].logprobs is not None or not self._may_guess:
            return None  # guesses are checked without measuring
        return Alone(self._rows[0], self._told[0])

    def _check_a_guess(self) -> list[int]:
        """Take a step with a guess: the ids it drew, the last of which flies; nothing where there is no guess."""
        if self._alone is None or self._kv is None or self.has_company:
            return []
        position = int(self._positions[0])
        if not (guess := self._alone.guess(position)):
            return []
        drawn = self._alone.check(self._model, self._kv, guess, position, self._ends)
        self._positions = self._positions + len(drawn)
        self._flying = Flying(mx.array(drawn[-1:], dtype=mx.uint32))
        self._recent = self._alone.recent_after(drawn)
        self._is_told = [False]
        return drawn

    def _tell(self, flying: Flying, began: float | None = None) -> list[Drawn]:
        """Pair ids with their rows, and leave out what was told before, or was no draw but a prompt's last id.

        `began` is when a step did that had one id a row.
        """
        ids, likelihoods = flying.read()
        news = [(place, row) for place, row in enumerate(self._rows) if not self._is_told[place]]
        told = [drawn for place, row in news for drawn in self._tell_of(place, [ids[place]], likelihoods.get(row.key))]
        self._is_told = [False] * len(self._rows)
        if self._alone is not None and began is not None and not self.has_company:
            self._alone.note_step(time.perf_counter() - began)
        return told

    def _tell_newcomers(self) -> list[Drawn]:
        """What rows drew first, as soon as it is drawn: the others' ids are read when the next step is on its way."""
        if not self._newcomers or self._flying is None:
            return []
        ids, likelihoods = self._flying.read()
        places = [place for place, row in enumerate(self._rows) if row.key in self._newcomers]
        self._newcomers.clear()
        told: list[Drawn] = []
        for place in places:
            told += self._tell_of(place, [ids[place]], likelihoods.get(self._rows[place].key))
            self._is_told[place] = True
        return told

    def _tell_of(self, place: int, ids: Sequence[int], likelihood: Likelihood | None = None) -> list[Drawn]:
        """Note what a row has drawn, and lead its guide on."""
        row = self._rows[place]
        self._told[place] += ids
        if row.guide is not None:
            for token in ids:
                row.guide.advance(token)
        if self._alone is not None:
            self._alone.extend(ids)
        return [Drawn(row.key, token, likelihood) for token in ids]

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

    def _draw(self, logits: mx.array) -> Flying:
        assert self._controls is not None
        assert self._recent is not None
        masks = masks_of([row.guide for row in self._rows], logits.shape[1]) if self._is_guided else None
        drawn = draw(logits, self._controls, self._recent, self._positions, self._ends, masks=masks)
        likelihoods = (self._asking.measure(logits, drawn),) if self._asking else ()
        # The rings too: without penalties nobody looks at them, and joins and leaves would pile up uncomputed.
        mx.async_eval(drawn, self._recent.ids, *(array for part in likelihoods for array in part.arrays))
        self._positions = self._positions + 1
        return Flying(drawn, likelihoods)
