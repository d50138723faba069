"""How likely the model itself held what was drawn, for the rows that asked.

Of its own distribution: the logits as they come, before bias, penalties, masks and truncation, at temperature 1. That
is what can be compared between requests, however they sample. Rows that did not ask cost nothing, and those beside them
are gathered out: nothing is summed up over the vocabulary for anybody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx

from .candidates import largest
from .drawn import Likelihood
from .row import Row

# More than any row may ask for, so that ties at a row's own limit are broken by id; and the same for all, whatever its
# neighbours ask for.
_SHORTLIST = 32


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Those of the ids of one step, on the device until somebody reads them."""

    asking: "Asking"
    drawn: mx.array  # [rows that asked]
    best: tuple[mx.array, mx.array] | None  # values and ids, each [rows that asked, shortlist]

    @property
    def arrays(self) -> Sequence[mx.array]:
        """What has to be computed for it."""
        return (self.drawn, *(self.best or ()))

    def read(self) -> Mapping[int, Likelihood]:
        """By the rows' keys. Waits for the device."""
        drawn = cast("list[float]", self.drawn.tolist())
        best: list[list[tuple[int, float]]] = [[] for _ in drawn]
        if self.best is not None:
            values, ids = (cast("list[list[Any]]", part.tolist()) for part in self.best)
            best = [[*zip(*row, strict=True)] for row in zip(ids, values, strict=True)]
        rows = zip(self.asking.keys, self.asking.counts, drawn, best, strict=True)
        return {key: Likelihood(own, likeliest[:count]) for key, count, own, likeliest in rows}


@dataclass(frozen=True, slots=True)
class Asking:
    """The rows of a batch that asked."""

    keys: tuple[int, ...]
    counts: tuple[int, ...]  # how many of the likeliest ids each wants
    index: mx.array | None  # their places; None when these are all rows

    def measure(self, logits: mx.array, drawn: mx.array) -> Likelihoods:
        """Measure what was `drawn` [rows] from the model's own `logits` [rows, vocabulary]. Nothing is evaluated."""
        if self.index is not None:
            logits, drawn = logits[self.index], drawn[self.index]
        logits = logits.astype(mx.float32)
        total = mx.logsumexp(logits, axis=1, keepdims=True)
        own = mx.take_along_axis(logits, drawn[:, None], axis=1) - total
        if not any(self.counts):
            return Likelihoods(self, own[:, 0], None)
        values, ids = largest(logits, _SHORTLIST)
        return Likelihoods(self, own[:, 0], (values - total, ids))


def asking_of(rows: Sequence[Row]) -> Asking | None:
    """Find the rows that asked; None where nobody did."""
    places = [place for place, row in enumerate(rows) if row.logprobs is not None]
    if not places:
        return None
    return Asking(
        keys=tuple(rows[place].key for place in places),
        counts=tuple(rows[place].logprobs or 0 for place in places),
        index=None if len(places) == len(rows) else mx.array(places),
    )
