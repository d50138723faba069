"""From streams as they were read to the figures of a result. Pure."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from .orders import Result, Spread
from .recording import Piece, Story

_NS_PER_MS = 1e6
_NS_PER_S = 1e9


def result_of(stories: Sequence[Story], *, is_clocked: bool = False) -> Result:
    """Put all streams of an order into figures; CPU and memory are the caller's to add."""
    began_ns = min(story.asked_ns for story in stories)
    ended_ns = max(story.ended_ns for story in stories)
    pieces = [piece for story in stories for piece in story.pieces]
    return Result(
        seconds=(ended_ns - began_ns) / _NS_PER_S,
        tokens=sum(story.tokens for story in stories),
        events=len(pieces),
        reads=sum(story.reads for story in stories),
        characters=sum(len(piece.text) for piece in pieces),
        first_ms=spread(_firsts_ms(stories)),
        gap_ms=spread(gap for story in stories for gap in _gaps_ms(story)),
        lag_ms=spread(lag for piece in pieces for lag in _lags_ms(piece)) if is_clocked else None,
    )


def spread(values: Iterable[float]) -> Spread:
    """Median, 99th percentile and maximum, by nearest rank; zeros where there is nothing."""
    ranked = sorted(values)
    if not ranked:
        return Spread(0.0, 0.0, 0.0)
    return Spread(_rank(ranked, 0.5), _rank(ranked, 0.99), ranked[-1])


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[math.ceil(len(ranked) * share) - 1]


def _firsts_ms(stories: Iterable[Story]) -> list[float]:
    return [(story.pieces[0].at_ns - story.asked_ns) / _NS_PER_MS for story in stories if story.pieces]


def _gaps_ms(story: Story) -> list[float]:
    return [(after.at_ns - before.at_ns) / _NS_PER_MS for before, after in pairwise(story.pieces)]


def _lags_ms(piece: Piece) -> list[float]:
    """One for each token of the event: under load, an event holds the stamps of several."""
    return [(piece.at_ns - int(stamp)) / _NS_PER_MS for stamp in piece.text.split()]
