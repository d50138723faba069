"""What stands in a batch for its rows between two steps: all that goes along when they move to another batch."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx

from .drawn import Likelihood
from .likelihood import Likelihoods
from .model import KV
from .recent import Recent
from .row import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Flying(NamedTuple):
    """The ids to feed next, known to the host or still being drawn."""

    ids: mx.array  # [rows]
    likelihoods: tuple[Likelihoods, ...] = ()  # theirs, by their rows' keys: joins and leaves need not touch them

    def joined(self, other: "Flying") -> "Flying":
        """Both, this one's rows first."""
        return Flying(mx.concatenate([self.ids, other.ids]), (*self.likelihoods, *other.likelihoods))

    def read(self) -> tuple[list[int], Mapping[int, Likelihood]]:
        """Wait for the ids, in the rows' order, and their likelihoods by key."""
        ids: list[int] = self.ids.tolist()  # pyright: ignore[reportAssignmentType] a list of ints, as there is one axis
        return ids, {key: each for part in self.likelihoods for key, each in part.read().items()}


class Seats(NamedTuple):
    """Rows between two steps, with all that stands in a batch for them; by their places, but for the newcomers."""

    rows: Sequence[Row]
    kv: KV
    flying: Flying
    recent: Recent
    told: Sequence[list[int]]
    is_told: Sequence[bool]
    newcomers: AbstractSet[int]  # by their keys
    positions: "NDArray[np.int64]"
