"""What a step drew, as plain values on the host."""

from collections.abc import Sequence
from typing import NamedTuple


class Likelihood(NamedTuple):
    """How likely the model held an id that was drawn, and the ids that it held likeliest; natural logarithms."""

    drawn: float
    best: Sequence[tuple[int, float]]  # likeliest first, as many as were asked for


class Drawn(NamedTuple):
    """One id of one row."""

    key: int
    token: int
    likelihood: Likelihood | None = None  # None for rows that did not ask
