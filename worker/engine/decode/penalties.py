"""What changes logits before any are dropped: bias, penalties for recent ids, and the hold on ending too early."""

import mlx.core as mx

from .controls import Bias, Penalties
from .recent import Recent


def with_bias(logits: mx.array, bias: Bias) -> mx.array:
    """Add each row's biases. An id stands once in a row's list; the filling adds 0 to id 0."""
    rows = mx.arange(logits.shape[0])[:, None]
    return logits.at[rows, bias.ids].add(bias.values)


def with_penalties(logits: mx.array, penalties: Penalties, recent: Recent) -> mx.array:
    """Lower what was said recently, as llama.cpp does: repeat first and by sign, then frequency and presence.

    Only the window's ids are read and written. An id that stands there twice is written twice with the same value.
    """
    window = recent.window()
    plain = mx.take_along_axis(logits, window, axis=1)
    changed = mx.where(plain > 0, plain / penalties.repeat, plain * penalties.repeat) - penalties.presence
    if penalties.is_counting:
        changed = changed - penalties.frequency * _counts(window, recent.weights(), logits.shape[1])
    return mx.put_along_axis(logits, window, changed, axis=1)


def without_ends(logits: mx.array, is_held: mx.array, ends: mx.array) -> mx.array:
    """Make it impossible for held rows ([rows] bool) to end their turn; `ends` are the ids that would, [n]."""
    places = mx.broadcast_to(ends[None, :], (logits.shape[0], ends.shape[0]))
    plain = mx.take_along_axis(logits, places, axis=1)
    return mx.put_along_axis(logits, places, mx.where(is_held[:, None], -mx.inf, plain), axis=1)


def _counts(window: mx.array, weights: mx.array, vocabulary: int) -> mx.array:
    rows = mx.arange(window.shape[0])[:, None]
    counts = mx.zeros((window.shape[0], vocabulary)).at[rows, window].add(weights)
    return mx.take_along_axis(counts, window, axis=1)
