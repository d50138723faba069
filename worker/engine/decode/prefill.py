"""Prefill: reading prompts into the model, all but each one's last id, which the batch feeds itself.

Short prompts are read together in one go, and what they all begin with but once; a long one alone, chunk by chunk, so
that decoding rows wait for one chunk at a time. Each row goes on from what the prompt cache had of it, so rows of a
group may have read unequally much before. Reading halts at a row's boundaries, to keep its state there.
"""

from collections.abc import Collection, Sequence
from itertools import takewhile

from worker.engine.cache.cache import LEAST_TOKENS

from .model import KV, Model
from .recall import Recall, Start
from .row import Row


class Prefill:
    """Some rows on their way into the batch."""

    def __init__(self, model: Model, starts: Sequence[Start], recall: Recall) -> None:
        self._model = model
        self._starts = starts
        self._recall = recall
        # Copied into one only when it is read, since a row of a group may be dropped before.
        self._kv = starts[0].kv if len(starts) == 1 else None
        self._read = [start.cached for start in starts]

    @property
    def rows(self) -> list[Row]:
        """The rows, in order."""
        return [start.row for start in self._starts]

    @property
    def done(self) -> int:
        """How many ids of its longest row were read, those that were cached included."""
        return self.total - self.to_read

    @property
    def total(self) -> int:
        """How many ids its longest row has before the last."""
        return max(len(row.ids) for row in self.rows) - 1

    @property
    def to_read(self) -> int:
        """How many ids are still to be read of the row that lacks most."""
        return max(end - read for end, read in zip(self._ends(), self._read, strict=True))

    @property
    def tokens_to_read(self) -> int:
        """How many ids are still to be read in all."""
        return sum(self._ends()) - sum(self._read)

    @property
    def is_done(self) -> bool:
        """Whether its rows can join the batch."""
        return self.to_read == 0 and (self._kv is not None)

    @property
    def kv_bytes(self) -> int:
        """Memory that the rows' state holds, in bytes."""
        return self._kv.kv_bytes if self._kv else sum(start.kv.kv_bytes for start in self._starts)

    def advance(self, tokens: int) -> int:
        """Read the next chunk, of at most `tokens` ids where it is one row; tell how many were computed."""
        if len(self._starts) == 1:
            stop = self._stops()[0][0]
            return self._feed([min(stop, self._read[0] + tokens)])
        computed = self._begin_group()
        return computed + sum(self._feed(list(ends)) for ends in zip(*self._aligned(self._stops()), strict=True))

    def finished(self) -> KV:
        """The state, fit to join the batch if the model's rows can be batched at all."""
        assert self._kv is not None
        assert self.is_done
        if len(self._starts) > 1:
            return self._kv
        if self._kv.can_trim:
            self._recall.keep(self.rows[0], self._read[0], self._kv.copy)
        return KV.merged([self._kv]) if self._kv.can_merge else self._kv

    def without(self, keys: Collection[int]) -> "Prefill | None":
        """What is left when these rows are dropped. What a lone row has read is kept; a group has read nothing yet."""
        starts = [start for start in self._starts if start.row.key not in keys]
        if len(starts) == len(self._starts):
            return self
        if len(self._starts) == 1 and self._kv is not None:
            self._recall.keep(self.rows[0], self._read[0], self._kv.copy)
        return Prefill(self._model, starts, self._recall) if starts else None

    def _begin_group(self) -> int:
        """Join the rows' states; what all begin with, and none has read, is read by one. Tell how much was computed."""
        lead = max(range(len(self._starts)), key=self._read.__getitem__)
        row, state, read = self.rows[lead], self._starts[lead].kv, self._read[lead]
        common = common_beginning(self.rows)
        if common - read < LEAST_TOKENS:
            self._kv = KV.merged([start.kv for start in self._starts])
            return 0
        for stop in [*(at for at in row.boundaries if read < at < common), common]:
            state.prefill(self._model, [row.ids[self._read[lead] : stop]])
            self._read[lead] = stop
            self._recall.keep(row, stop, state.copy)
        self._kv = KV.merged([state] * len(self._starts))
        self._read = [common] * len(self._starts)
        return common - read

    def _ends(self) -> list[int]:
        return [len(row.ids) - 1 for row in self.rows]

    def _stops(self) -> list[list[int]]:
        """Where to halt in each row from here, the end last."""
        return [
            [*(at for at in row.boundaries if read < at < end), end]
            for row, read, end in zip(self.rows, self._read, self._ends(), strict=True)
        ]

    def _aligned(self, stops: list[list[int]]) -> list[list[int]]:
        """As many stops for each row, all ends at once: a row with fewer waits where it is meanwhile."""
        most = max(map(len, stops))
        return [[read] * (most - len(at)) + at for read, at in zip(self._read, stops, strict=True)]

    def _feed(self, ends: list[int]) -> int:
        """Read each row up to its end, and keep the state of those that have come to a boundary."""
        assert self._kv is not None
        segments = [row.ids[read:end] for row, read, end in zip(self.rows, self._read, ends, strict=True)]
        longest = max(map(len, segments))
        if longest == 0:
            return 0
        self._kv.prefill(self._model, segments)
        self._read = ends
        for place, (row, end) in enumerate(zip(self.rows, ends, strict=True)):
            if segments[place] and end in row.boundaries:
                self._keep(place, row, end)
        return longest * len(segments)

    def _keep(self, place: int, row: Row, end: int) -> None:
        kv = self._kv
        assert kv is not None
        self._recall.keep(row, end, lambda: kv.row(place))


def common_beginning(rows: Sequence[Row]) -> int:
    """How many ids all rows begin with, before the last of each; none where their tenants differ.

    One tenant's time to the first token must not tell what another has asked.
    """
    if len({row.tenant for row in rows}) > 1:
        return 0
    shortest = min(rows, key=lambda row: len(row.ids)).ids
    alike = takewhile(lambda at: all(row.ids[at] == shortest[at] for row in rows), range(len(shortest) - 1))
    return sum(1 for _ in alike)
