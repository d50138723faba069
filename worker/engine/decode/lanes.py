"""The lanes: rows of about one length decode together, so that a long one does not make all others as long as itself.

State is dense: each row of a batch takes as much memory, and as much of every step, as the longest of them. Another
lane costs a step of its own, which is mostly reading the model's weights once more. So rows join the lane where they
waste least, unless they would waste more than the weights are worth; and lanes become one when that is cheaper.
"""

import math
from collections.abc import Callable, Collection, Sequence
from itertools import combinations
from typing import NamedTuple

from .batch import Batch
from .drawn import Drawn
from .model import KV
from .row import Row

_MOST_LANES = 4
# Two lanes become one below this share of what would part them, or a row's end and the next one's beginning would swing
# around it.
_CALM = 0.5


class Shape(NamedTuple):
    """So many rows, each as long as the longest of them."""

    rows: int
    length: int


class Lanes:
    """Batches that step by turns: to the caller they are one."""

    def __init__(self, make: Callable[[], Batch]) -> None:
        self.worth_tokens = math.inf  # how many wasted tokens cost as much as another lane does
        self._make = make
        self._lanes: list[Batch] = []

    def __len__(self) -> int:
        """How many slots are occupied."""
        return sum(map(len, self._lanes))

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, lane by lane."""
        return [row for lane in self._lanes for row in lane.rows]

    @property
    def shapes(self) -> Sequence[Shape]:
        """What each lane holds."""
        return [_shape(lane) for lane in self._lanes]

    @property
    def padding(self) -> int:
        """How many tokens of state belong to nobody."""
        return sum(lane.padding for lane in self._lanes)

    @property
    def kv_bytes(self) -> int:
        """Memory that all rows' state holds, in bytes."""
        return sum(lane.kv_bytes for lane in self._lanes)

    @property
    def bytes_per_token(self) -> int:
        """What one more token of one row takes; 0 while there are no rows."""
        return max((lane.bytes_per_token for lane in self._lanes), default=0)

    def share_bytes(self, key: int) -> int:
        """What a row's leaving frees, in bytes."""
        lane = self._lane_of(key)
        return lane.kv_bytes // len(lane)

    def fed(self, key: int) -> int:
        """How many of a row's ids, prompt and generated, its state has read."""
        return self._lane_of(key).fed(key)

    def state_of(self, key: int) -> KV:
        """A copy of a row's state, to be kept when it has left."""
        return self._lane_of(key).state_of(key)

    def join(self, rows: Sequence[Row], kv: KV, *, spare_tokens: float) -> None:
        """Seat rows whose ids but the last have been read into `kv`; no more than the spare tokens are wasted."""
        newcomers = Shape(len(rows), max(len(row.ids) for row in rows) - 1)
        place = choose_lane(self.shapes, newcomers, self.worth_tokens, spare_tokens)
        if place is None:
            place = len(self._lanes)
            self._lanes.append(self._make())
        self._lanes[place].join(rows, kv)

    def leave(self, keys: Collection[int], *, spare_tokens: float) -> None:
        """Free the slots of these rows; the others go on undisturbed, and waste no more than the spare tokens."""
        for lane in self._lanes:
            lane.leave(keys)
        self._lanes = [lane for lane in self._lanes if len(lane)]
        while pair := find_pair(self.shapes, min(self.worth_tokens * _CALM, spare_tokens)):
            one, other = (self._lanes[place] for place in pair)
            if one.seats is None or other.seats is None:
                return
            spare_tokens -= waste(_shape(one), _shape(other))
            one.take_over(other.seats)
            self._lanes.remove(other)

    def step(self) -> list[Drawn]:
        """Compute one more id for each row; tell what each row that has an untold one, or some, has drawn."""
        drawn: list[Drawn] = []
        for lane in self._lanes:
            lane.has_company = len(self._lanes) > 1
            drawn += lane.step()
        return drawn

    def _lane_of(self, key: int) -> Batch:
        return next(lane for lane in self._lanes if any(row.key == key for row in lane.rows))


def choose_lane(
    lanes: Sequence[Shape], newcomers: Shape, worth_tokens: float, spare_tokens: float = math.inf
) -> int | None:
    """Choose the place of the lane to join; None: one of their own, which wastes nothing, however many there are."""
    if not lanes:
        return None
    least, place = min((waste(lane, newcomers), place) for place, lane in enumerate(lanes))
    is_too_much = least > spare_tokens or (least > worth_tokens and len(lanes) < _MOST_LANES)
    return None if is_too_much else place


def find_pair(lanes: Sequence[Shape], worth_tokens: float) -> tuple[int, int] | None:
    """Find the places of the two lanes that would waste least together, if that is worth it."""
    pairs = [(waste(lanes[one], lanes[other]), (one, other)) for one, other in combinations(range(len(lanes)), 2)]
    least, pair = min(pairs, default=(worth_tokens, None))
    return pair if least < worth_tokens else None


def waste(one: Shape, other: Shape) -> int:
    """How many tokens of state would belong to nobody, were these one."""
    shorter = min(one, other, key=lambda shape: shape.length)
    return shorter.rows * abs(one.length - other.length)


def _shape(lane: Batch) -> Shape:
    return Shape(len(lane), lane.length)
