"""The recent ids that penalties look at: one ring a row, on the device, so that a step needs no look at the host.

A row's ring has `repeat_last_n` places; the id with index i of prompt + completion lies at place i mod n. A place not
yet filled repeats the row's first id, which penalties see anyway; only counting has to leave it out.
"""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from .settings import Settings


class Recent:
    """The rings of all rows. Rows without penalties have one idle place."""

    def __init__(self, ids: mx.array, sizes: Sequence[int], seen: Sequence[int]) -> None:
        self.ids = ids  # [rows, widest ring]
        self.sizes = np.array(sizes, dtype=np.int64)
        self.seen = np.array(seen, dtype=np.int64)
        # Places beyond a row's own ring mirror its last one: the same id penalised twice is penalised once.
        self._places = mx.array(np.minimum(np.arange(ids.shape[1])[None, :], self.sizes[:, None] - 1))

    @classmethod
    def of(cls, rows: Sequence[tuple[Sequence[int], Settings]]) -> "Recent":
        """Rings for rows that have these ids, the last of which is pushed when the row takes its first step."""
        sizes = [settings.repeat_last_n if settings.has_penalties else 1 for _, settings in rows]
        rings = [_ring(ids, size, max(sizes)) for (ids, _), size in zip(rows, sizes, strict=True)]
        return cls(mx.array(rings, dtype=mx.int32), sizes, [len(ids) - 1 for ids, _ in rows])

    def push(self, tokens: mx.array) -> None:
        """Add one id a row, each over its row's oldest."""
        cursor = mx.array((self.seen % self.sizes)[:, None])
        self.ids = mx.put_along_axis(self.ids, cursor, tokens[:, None].astype(mx.int32), axis=1)
        self.seen += 1

    def window(self) -> mx.array:
        """Every row's recent ids, [rows, widest ring]; an id may stand there more than once."""
        return mx.take_along_axis(self.ids, self._places, axis=1)

    def weights(self) -> mx.array:
        """1 where the window's place counts, 0 where it only repeats another, float32 [rows, widest ring]."""
        filled = np.minimum(self.seen, self.sizes)[:, None]
        return mx.array((np.arange(self.ids.shape[1])[None, :] < filled).astype(np.float32))

    def joined(self, other: "Recent") -> "Recent":
        """The rings of both, this one's rows first."""
        width = max(self.ids.shape[1], other.ids.shape[1])
        ids = mx.concatenate([_widened(self.ids, width), _widened(other.ids, width)])
        return Recent(ids, [*self.sizes, *other.sizes], [*self.seen, *other.seen])

    def kept(self, rows: Sequence[int]) -> "Recent":
        """The rings of these rows, in this order."""
        sizes = self.sizes[list(rows)]
        ids = self.ids[mx.array(list(rows))][:, : int(sizes.max())]
        return Recent(ids, sizes.tolist(), self.seen[list(rows)].tolist())


def _ring(ids: Sequence[int], size: int, width: int) -> list[int]:
    seen = len(ids) - 1
    last = list(ids[max(0, seen - size) : seen])
    turn = seen % size if seen >= size else 0
    ring = last[len(last) - turn :] + last[: len(last) - turn] + [ids[0]] * (size - len(last))
    return ring + [0] * (width - size)


def _widened(ids: mx.array, width: int) -> mx.array:
    return mx.pad(ids, [(0, 0), (0, width - ids.shape[1])])
