"""A histogram in plain numbers: counting in one costs a search among some twenty bounds, and no lock."""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.utils import floatToGoString  # pyright: ignore[reportUnknownVariableType] its argument has no type


class Distribution:
    """How many values fell up to each bound, the bound itself included, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def merge(self, other: "Distribution") -> None:
        """Count all that another one with the same bounds has counted."""
        assert self.bounds == other.bounds
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def buckets(self, bounds: Sequence[float]) -> Sequence[tuple[str, float]]:
        """What Prometheus has as buckets, for some of the bounds."""
        totals: dict[float, int] = {}
        total = 0
        for bound, count in zip(self.bounds, self.counts, strict=False):  # behind the last bound only +Inf
            total += count
            totals[bound] = total
        return [(floatToGoString(bound), totals[bound]) for bound in bounds] + [("+Inf", total + self.counts[-1])]
