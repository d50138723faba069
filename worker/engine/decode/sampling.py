"""One batched draw for all rows: each row by its own settings, none by itself.

The order is llama.cpp's, which is also the order of the request's fields: bias, penalties, top_k, top_p, min_p,
temperature. A grammar's mask comes before top_k, so that all of these choose among what is allowed. What a row draws
depends on its own logits, settings, mask, seed and position only, not on its neighbours.
"""

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from .candidates import largest
from .controls import Controls, Truncation
from .masks import can_only_end, within
from .noise import fold, gumbel, gumbel_bound
from .penalties import with_bias, with_penalties, without_ends
from .recent import Recent

# How many ids a nucleus is looked for in, before the whole vocabulary is sorted.
_NUCLEUS_SHORTLISTS = (256, 2_048)
_CONTENDERS = 128


def draw(
    logits: mx.array,
    controls: Controls,
    recent: Recent | None,
    positions: NDArray[np.int64],
    ends: mx.array,
    *,
    masks: NDArray[np.uint32] | None = None,
) -> mx.array:
    """Draw the next id of each row, [rows].

    `logits` is [rows, vocabulary] of any float type; `positions` counts the ids each row has generated already;
    `ends` are the ids that end a turn; `masks` says which ids a row may draw, None that all of them are allowed.
    Nothing is evaluated, but where a row without top_k has a top_p.
    """
    logits = _adjusted(logits, controls, recent, positions, ends, masks=masks)
    if controls.is_greedy:
        return mx.argmax(logits, axis=1)
    keys = mx.array(fold(controls.seeds, positions))
    drawn: list[mx.array] = []
    if controls.short is not None:
        drawn.append(_draw_short(*_rows_of(controls.short, logits, keys), controls.short, controls.shortlist))
    if controls.whole is not None:
        drawn.append(_draw_whole(*_rows_of(controls.whole, logits, keys), controls.whole))
    return drawn[0] if controls.order is None else mx.concatenate(drawn)[controls.order]


def _adjusted(
    logits: mx.array,
    controls: Controls,
    recent: Recent | None,
    positions: NDArray[np.int64],
    ends: mx.array,
    *,
    masks: NDArray[np.uint32] | None,
) -> mx.array:
    if not controls.is_greedy or controls.bias is not None or controls.penalties is not None:
        logits = logits.astype(mx.float32)
    if controls.bias is not None:
        logits = with_bias(logits, controls.bias)
    if controls.penalties is not None:
        assert recent is not None, "rows with penalties come with their recent ids"
        logits = with_penalties(logits, controls.penalties, recent)
    is_held = positions < controls.min_tokens
    if masks is not None and is_held.any():
        is_held &= ~can_only_end(masks, _ids(ends))  # a complete text can't be drawn out
    if is_held.any() and ends.size:
        logits = without_ends(logits, mx.array(is_held.tolist()), ends)
    return logits if masks is None else within(logits, masks)


def _ids(ends: mx.array) -> list[int]:
    return ends.tolist()  # pyright: ignore[reportReturnType] a list of ints, as there is one axis


def _rows_of(part: Truncation, logits: mx.array, keys: mx.array) -> tuple[mx.array, mx.array]:
    return (logits, keys) if part.index is None else (logits[part.index], keys[part.index])


def _draw_short(logits: mx.array, keys: mx.array, part: Truncation, count: int) -> mx.array:
    """Draw among each row's `top_k` largest. A greedy row has a top_k of 1."""
    values, ids = largest(logits, count)
    kept = mx.arange(values.shape[1])[None, :] < part.top_k
    if part.has_nucleus:
        kept = kept & _in_nucleus(mx.softmax(mx.where(kept, values, -mx.inf), axis=1), part.top_p)
    best = values[:, :1]
    kept = kept & (values >= best + part.log_min_p)
    score = mx.where(kept, (values - best) * part.inverse_temperature + gumbel(keys, ids), -mx.inf)
    return mx.take_along_axis(ids, mx.argmax(score, axis=1, keepdims=True), axis=1)[:, 0]


def _draw_whole(logits: mx.array, keys: mx.array, part: Truncation) -> mx.array:
    """Draw among all ids at or above each row's floor.

    The winner is among the few with the largest upper bounds: the chance that more than `_CONTENDERS` bounds pass the
    winner's score is that of a standard Gumbel maximum below -3.5, 1e-14.
    """
    best = mx.max(logits, axis=1, keepdims=True)
    scaled = (logits - best) * part.inverse_temperature
    if part.has_floor:
        scaled = mx.where(logits >= _floor(logits, best, part), scaled, -mx.inf)
    bounds = scaled + gumbel_bound(keys, mx.arange(logits.shape[1])[None, :])
    _, ids = largest(bounds, _CONTENDERS)
    score = mx.take_along_axis(scaled, ids, axis=1) + gumbel(keys, ids)
    return mx.take_along_axis(ids, mx.argmax(score, axis=1, keepdims=True), axis=1)[:, 0]


def _floor(logits: mx.array, best: mx.array, part: Truncation) -> mx.array:
    floor = best + part.log_min_p
    return mx.maximum(floor, _nucleus_floor(logits, part.top_p)) if part.has_nucleus else floor


def _nucleus_floor(logits: mx.array, top_p: mx.array) -> mx.array:
    """The smallest logit in each row's nucleus, [rows, 1]. Looks at the host to know that the shortlist was enough."""
    total = mx.logsumexp(logits, axis=1, keepdims=True)
    values = shares = logits
    for count in (*_NUCLEUS_SHORTLISTS, logits.shape[1]):
        values, _ = largest(logits, count)
        shares = mx.exp(values - total)
        if mx.all((mx.sum(shares, axis=1, keepdims=True) >= top_p) | (top_p > 1)).item():
            break
    kept = mx.where(_in_nucleus(shares, top_p), values, mx.inf)
    return mx.where(top_p > 1, -mx.inf, mx.min(kept, axis=1, keepdims=True))


def _in_nucleus(shares: mx.array, top_p: mx.array) -> mx.array:
    """Tell for probabilities in falling order whether what stands before each sums up to less than top_p."""
    return mx.cumsum(shares, axis=1) - shares < top_p
