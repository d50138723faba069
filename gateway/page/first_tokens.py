"""How soon first tokens have come of late, at this gateway: quantiles out of counts that only grow."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from gateway.metrics.figures import FIRST_TOKEN_S, Ledger

WINDOW_MS = 15_000


class Waits(NamedTuple):
    """The median, and what one in twenty waits longer than; None where no first token has come."""

    median_ms: float | None
    most_ms: float | None


class FirstTokens:
    """The counts of the last seconds, as differences between looks at the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._looks: deque[tuple[int, list[int]]] = deque()

    def look(self, now_ms: int) -> Waits:
        """What has come in the last seconds before now."""
        counts = self._counts()
        self._looks.append((now_ms, counts))
        while len(self._looks) > 1 and now_ms - self._looks[1][0] >= WINDOW_MS:
            self._looks.popleft()
        earlier = self._looks[0][1]
        new = [now - then for now, then in zip(counts, earlier, strict=True)]
        return Waits(quantile_ms(new, 0.5), quantile_ms(new, 0.95))

    def _counts(self) -> list[int]:
        total = [0] * (len(FIRST_TOKEN_S) + 1)
        for _, figures in self._ledger:
            total = [have + more for have, more in zip(total, figures.first_token_s.counts, strict=True)]
        return total


def quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """A quantile, as if values lay evenly between two bounds; None of nothing."""
    rank, below = sum(counts) * share, 0
    if not rank:
        return None
    for at, count in enumerate(counts):
        if count and below + count >= rank:
            low = FIRST_TOKEN_S[at - 1] if at else 0.0
            high = FIRST_TOKEN_S[min(at, len(FIRST_TOKEN_S) - 1)]
            return round((low + (high - low) * (rank - below) / count) * 1_000, 1)
        below += count
    return None
