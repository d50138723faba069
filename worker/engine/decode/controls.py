"""The settings of all rows as arrays, made once when rows join or leave, so that a step does no work per row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from .settings import COLDEST, Settings

# The shortlist reaches beyond the largest top_k, so that ties at a row's own limit are broken by id and not by the
# limit of its neighbours.
_SLACK = 16
_SHORTEST = 64
_LEAST_TOP_P = 1e-30  # float32 still tells it from 0


@dataclass(frozen=True, slots=True)
class Penalties:
    """What recent ids cost; each [rows, 1]."""

    repeat: mx.array
    presence: mx.array
    frequency: mx.array
    is_counting: bool  # whether any row asks how often an id stands in its window


@dataclass(frozen=True, slots=True)
class Bias:
    """What is added to some ids' logits; [rows, longest list], filled up with a bias of 0 on id 0."""

    ids: mx.array
    values: mx.array


@dataclass(frozen=True, slots=True)
class Truncation:
    """Rows that share a way of drawing; each array [rows of it, 1]."""

    rows: tuple[int, ...]
    index: mx.array | None  # None when these are all rows, in order
    top_k: mx.array
    top_p: mx.array
    log_min_p: mx.array
    inverse_temperature: mx.array
    has_nucleus: bool  # whether any of these rows has top_p below 1
    has_floor: bool  # whether any has that or min_p


@dataclass(frozen=True, slots=True)
class Controls:
    """Everything that `sampling` needs to know about the rows."""

    seeds: NDArray[np.uint64]
    min_tokens: NDArray[np.int64]
    penalties: Penalties | None
    bias: Bias | None
    is_greedy: bool  # all rows are: nothing is drawn
    short: Truncation | None  # rows with a top_k, and greedy ones
    shortlist: int  # how many candidates such rows look at
    whole: Truncation | None  # rows that may draw any token
    order: mx.array | None  # from (short, whole) back to the rows' order; None when there is only one kind


def controls_of(rows: Sequence[Settings]) -> Controls:
    """Lay the settings of all rows out as arrays."""
    short = [place for place, row in enumerate(rows) if row.is_greedy or row.top_k > 0]
    whole = [place for place, row in enumerate(rows) if not (row.is_greedy or row.top_k > 0)]
    return Controls(
        seeds=np.array([row.seed for row in rows], dtype=np.uint64),
        min_tokens=np.array([row.min_tokens for row in rows], dtype=np.int64),
        penalties=_penalties(rows),
        bias=_bias(rows),
        is_greedy=all(row.is_greedy for row in rows),
        short=_truncation(rows, short),
        shortlist=_shortlist([rows[place].top_k for place in short]),
        whole=_truncation(rows, whole),
        order=mx.array(np.argsort([*short, *whole])) if short and whole else None,
    )


def _penalties(rows: Sequence[Settings]) -> Penalties | None:
    if not any(row.has_penalties for row in rows):
        return None

    def cost(of: Callable[[Settings], float], neutral: float) -> mx.array:
        return _column([of(row) if row.has_penalties else neutral for row in rows])

    return Penalties(
        repeat=cost(lambda row: row.repeat_penalty, 1.0),
        presence=cost(lambda row: row.presence_penalty, 0.0),
        frequency=cost(lambda row: row.frequency_penalty, 0.0),
        is_counting=any(row.has_penalties and row.frequency_penalty != 0 for row in rows),
    )


def _bias(rows: Sequence[Settings]) -> Bias | None:
    longest = max(len(row.logit_bias) for row in rows)
    if longest == 0:
        return None
    filled = [(*row.logit_bias, *[(0, 0.0)] * (longest - len(row.logit_bias))) for row in rows]
    return Bias(
        ids=mx.array([[token for token, _ in row] for row in filled], dtype=mx.int32),
        values=mx.array([[value for _, value in row] for row in filled], dtype=mx.float32),
    )


def _truncation(rows: Sequence[Settings], places: Sequence[int]) -> Truncation | None:
    if not places:
        return None
    chosen = [rows[place] for place in places]
    return Truncation(
        rows=tuple(places),
        index=None if len(places) == len(rows) else mx.array(list(places)),
        top_k=_column([1 if row.is_greedy else row.top_k for row in chosen]),
        # 1 means all: a sum of float32 probabilities may pass 1 before the last of them. And 0 would mean none.
        top_p=_column([max(row.top_p, _LEAST_TOP_P) if row.top_p < 1 else 2.0 for row in chosen]),
        log_min_p=_column([float(np.log(row.min_p)) if row.min_p > 0 else -np.inf for row in chosen]),
        inverse_temperature=_column([1.0 if row.is_greedy else 1 / max(row.temperature, COLDEST) for row in chosen]),
        has_nucleus=any(row.top_p < 1 for row in chosen),
        has_floor=any(row.top_p < 1 or row.min_p > 0 for row in chosen),
    )


def _shortlist(top_k: Sequence[int]) -> int:
    wanted = max(top_k, default=0) + _SLACK
    return max(_SHORTEST, 1 << (wanted - 1).bit_length())


def _column(values: Sequence[float]) -> mx.array:
    return mx.array(list(values), dtype=mx.float32)[:, None]
