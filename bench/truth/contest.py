"""How far a token was from being drawn, by the book: one row, in float64, everything sorted. Plain values, no model.

Kernels that round differently may draw differently only where tokens all but tie. Where they tie by score that is seen
at once; but a token may also win or lose because it lies on the very edge of top_k, top_p or min_p, and has there all
of its noise. So a gap is the least by which two logits have to move apart for the token to be drawn: as many units of
logit/T as its score lies below the best, or as bring it inside its edge, or those that beat it outside of theirs.
"""

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from worker.engine.decode.noise import fold, gumbel
from worker.engine.decode.settings import COLDEST, Settings

_SMALLEST, _LARGEST = 1e-7, 1e3
# Each a five-hundredth above the one before.
_GAPS: tuple[float, ...] = (0.0, *np.geomspace(_SMALLEST, _LARGEST, 10_001).tolist())

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One position of one answer."""

    settings: Settings
    ids: Sequence[int]  # the prompt, then what was generated before
    drawn: int  # how many of `ids` were generated
    ends: Collection[int]  # the ids that end a turn


def gap_of(token: int, logits: Floats, turn: Turn) -> float:
    """Give the token's gap, in units of logit/T: 0 if it is what is drawn, infinity if nothing could have drawn it."""
    contest = _contest(logits, turn)
    place = int(np.flatnonzero(contest.ids == token)[0])
    if not np.isfinite(contest.values[place]):
        return np.inf
    at = bisect.bisect_left(_GAPS, x=True, key=lambda gap: _could_win(contest, place, gap))
    return _GAPS[at] if at < len(_GAPS) else np.inf


@dataclass(frozen=True, slots=True)
class _Contest:
    """All ids by falling logit."""

    ids: NDArray[np.int64]
    values: Floats
    scores: Floats  # logit/T, and the position's noise
    before: Floats  # [ids + 1]: of the probability that top_k leaves, how much the first n have
    settings: Settings
    temperature: float


def _contest(logits: Floats, turn: Turn) -> _Contest:
    settings = turn.settings
    adjusted = _adjusted(logits, turn)
    ids = np.argsort(-adjusted, kind="stable")
    values = adjusted[ids]
    temperature = 1.0 if settings.is_greedy else max(settings.temperature, COLDEST)
    scores = values if settings.is_greedy else values / temperature + _noise(turn, ids)
    shares = np.exp(values - values[0])
    shares[settings.top_k or len(shares) :] = 0
    before = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
    return _Contest(ids, values, scores, before, settings, temperature)


def _adjusted(logits: Floats, turn: Turn) -> Floats:
    """Bias, penalties, and the hold on ending."""
    settings, adjusted = turn.settings, logits.astype(np.float64)
    for token, value in settings.logit_bias:
        adjusted[token] += value
    window = list(turn.ids[-settings.repeat_last_n :]) if settings.has_penalties else []
    for token in set(window):
        adjusted[token] *= settings.repeat_penalty if adjusted[token] <= 0 else 1 / settings.repeat_penalty
        adjusted[token] -= settings.presence_penalty + settings.frequency_penalty * window.count(token)
    if turn.drawn < settings.min_tokens:
        adjusted[list(turn.ends)] = -np.inf
    return adjusted


def _noise(turn: Turn, ids: NDArray[np.int64]) -> Floats:
    keys = fold(np.array([turn.settings.seed], dtype=np.uint64), np.array([turn.drawn]))
    return np.array(gumbel(mx.array(keys), mx.array(ids)[None, :]))[0].astype(np.float64)


def _could_win(contest: _Contest, place: int, gap: float) -> bool:
    """Whether it is kept if lucky, and each that beats it all the same is cut off if unlucky."""
    slack = gap * contest.temperature
    if not _is_kept(contest, np.array([place]), slack)[0]:
        return False
    rivals = np.flatnonzero(contest.scores > contest.scores[place] + gap)
    return not _is_kept(contest, rivals, -slack).any()


def _is_kept(contest: _Contest, places: NDArray[np.int64], luck: float) -> NDArray[np.bool_]:
    """Whether top_k, top_p and min_p leave these, each moved by `luck` against all others."""
    settings = contest.settings
    if settings.is_greedy:
        return np.ones(len(places), dtype=np.bool_)
    moved = contest.values[places] + luck
    # Those strictly above; one that moved down stands above itself.
    ahead = np.searchsorted(-contest.values, -moved) - (luck < 0)
    share = contest.before[ahead]
    with np.errstate(over="ignore"):
        share = share / (share + (1 - share) * np.exp(luck))
    is_in_k = (ahead < settings.top_k) | (settings.top_k == 0)
    is_in_p = (share < settings.top_p) | (settings.top_p == 1)
    with np.errstate(divide="ignore"):
        return is_in_k & is_in_p & (moved >= contest.values[0] + np.log(settings.min_p))
