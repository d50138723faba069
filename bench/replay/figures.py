"""From turns as they were answered to figures. Pure."""

import math
from collections.abc import Sequence
from statistics import fmean

import msgspec

from .client import Asked


class Figures(msgspec.Struct, frozen=True):
    """What turns came to; times in seconds, to the first token."""

    asked: int
    failed: int
    turned_away: int
    mean_s: float
    p50_s: float
    p95_s: float
    cached_share: float  # of the prompt tokens
    home_share: float  # of the later turns: answered by the worker that answered the turn before


def figures_of(asked: Sequence[Asked], *, from_s: float = 0.0) -> Figures:
    """Judge the turns that were asked from a moment on: before it, no worker had read anything."""
    judged = [one for one in asked if one.at_s >= from_s]
    turns = [one.turn for one in judged if one.turn]
    first_s = sorted(turn.first_ms / 1_000 for turn in turns)
    later = [at_home for one in judged if (at_home := _is_at_home(one, asked)) is not None]
    return Figures(
        asked=len(judged),
        failed=sum(one.outcome == "failed" for one in judged),
        turned_away=sum(one.outcome == "turned away" for one in judged),
        mean_s=fmean(first_s) if first_s else 0.0,
        p50_s=_rank(first_s, 0.5),
        p95_s=_rank(first_s, 0.95),
        cached_share=sum(turn.cached_tokens for turn in turns) / max(1, sum(turn.prompt_tokens for turn in turns)),
        home_share=sum(later) / max(1, len(later)),
    )


def _is_at_home(one: Asked, asked: Sequence[Asked]) -> bool | None:
    """None: it is a first turn, or was not answered."""
    before = next((other for other in asked if (other.talk, other.number) == (one.talk, one.number - 1)), None)
    if one.turn is None or before is None or before.turn is None:
        return None
    return one.turn.worker == before.turn.worker


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[math.ceil(len(ranked) * share) - 1] if ranked else 0.0
