"""A token's gap: nothing for what is drawn, a little for what all but ties, much for what is wrong."""

import dataclasses

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from bench.truth.contest import Floats, Turn, gap_of
from worker.engine.decode.controls import controls_of
from worker.engine.decode.recent import Recent
from worker.engine.decode.sampling import draw
from worker.engine.decode.settings import Settings

ENDS = [2, 5]
DEFAULTS = Settings(temperature=0.7, top_k=40, top_p=0.95, repeat_penalty=1.1)


def turn(settings: Settings, ids: list[int] | None = None, drawn: int = 3) -> Turn:
    return Turn(settings=settings, ids=ids or [9, 8, 7], drawn=drawn, ends=ENDS)


def drawn_by_the_engine(logits: Floats, at: Turn) -> int:
    """What the engine's sampler draws from these logits."""
    recent = Recent.of([(at.ids, at.settings)])
    recent.push(mx.array([at.ids[-1]]))
    row = mx.array(logits[None, :].astype(np.float32))
    return int(np.array(draw(row, controls_of([at.settings]), recent, np.array([at.drawn]), mx.array(ENDS)))[0])


def some_logits(seed: int, vocabulary: int = 400) -> Floats:
    return (np.random.default_rng(seed).standard_normal(vocabulary) * 3).astype(np.float32)


any_settings = some.builds(
    Settings,
    temperature=some.sampled_from([0.0, 0.3, 0.7, 3.0]),
    top_k=some.sampled_from([0, 1, 40]),
    top_p=some.sampled_from([0.5, 0.95, 1.0]),
    min_p=some.sampled_from([0.0, 0.02]),
    repeat_penalty=some.sampled_from([1.0, 1.3]),
    repeat_last_n=some.sampled_from([0, 2, 64]),
    presence_penalty=some.sampled_from([0.0, 0.5]),
    frequency_penalty=some.sampled_from([0.0, 0.7]),
    logit_bias=some.sampled_from([(), ((3, -100.0), (2, 8.0))]),
    min_tokens=some.sampled_from([0, 4]),
    seed=some.integers(0, 2**63 - 1),
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(settings=any_settings, seed=some.integers(0, 10_000), noise=some.integers(0, 10_000))
def test_what_the_engine_draws_from_almost_these_logits_has_almost_no_gap(
    settings: Settings, seed: int, noise: int
) -> None:
    """Rounding moves logits, ranks, and edges; the gap is never more than what moved."""
    logits, at = some_logits(seed), turn(settings, [1, 7, 7, 2, 300])
    moved = logits + np.random.default_rng(noise).uniform(-1e-4, 1e-4, len(logits))

    gap = gap_of(drawn_by_the_engine(moved, at), logits, at)

    # Two logits move apart by twice that, and a penalty may stretch them.
    assert gap <= 2e-4 * 1.3 / (1 if settings.is_greedy else settings.temperature) + 1e-5


@pytest.mark.parametrize(
    "settings", [Settings(), DEFAULTS, Settings(temperature=1.0)], ids=["greedy", "default", "any"]
)
def test_hardly_any_other_token_passes(settings: Settings) -> None:
    """A token from another seed, position or logits is told from a near tie."""
    passed = [
        gap_of(drawn_by_the_engine(some_logits(seed + 1_000), at), some_logits(seed), at) <= 1e-3
        for seed in range(60)
        for at in [turn(dataclasses.replace(settings, seed=seed))]
    ]

    assert sum(passed) <= 2


@pytest.mark.parametrize("apart", [0.0, 4e-4, 0.3])
def test_between_the_two_best_the_gap_is_what_lies_between(apart: float) -> None:
    """Greedy: the logits' distance; 0 on both sides of a tie."""
    logits = np.array([5 - apart, 5.0, 1.0])

    assert gap_of(1, logits, turn(Settings(), [0])) == 0
    assert gap_of(0, logits, turn(Settings(), [0])) == pytest.approx(apart, rel=3e-3)


@pytest.mark.parametrize("edge", ["top_k", "top_p", "min_p"])
@pytest.mark.parametrize("beyond", [2e-4, 0.1])
def test_a_token_on_an_edge_is_as_far_as_the_edge(edge: str, beyond: float) -> None:
    """Whoever lies a hair outside of what is kept could have been drawn, with all of its noise."""
    outside = 1.0 - beyond
    logits, settings = {
        "top_k": (np.array([1.0, 1.0, outside]), Settings(temperature=1.0, top_k=2)),
        "min_p": (np.array([1.0, 1.0, 1 - np.log(2) - beyond]), Settings(temperature=1.0, min_p=0.5)),
        "top_p": (np.array([1.0, 1.0, -1.0]), Settings(temperature=1.0, top_p=_share_before_third(beyond))),
    }[edge]
    lucky = next(dataclasses.replace(settings, seed=seed) for seed in range(400) if _would_win(2, logits, seed))

    gap = gap_of(2, logits, turn(lucky))

    assert gap == pytest.approx(beyond, rel=3e-3)


def test_what_beats_a_token_may_be_cut_off_instead() -> None:
    """The other side of an edge: the best score belongs to a token that is only just kept."""
    logits = np.array([1.0, 1.0, 1.0 - 2e-4, 1.0 - 4e-4])
    settings = Settings(temperature=1.0, top_k=3)
    lucky = next(dataclasses.replace(settings, seed=seed) for seed in range(400) if _would_win(2, logits, seed))

    best_of_the_rest = min(gap_of(token, logits, turn(lucky)) for token in (0, 1))

    assert gap_of(2, logits, turn(lucky)) == 0
    assert best_of_the_rest == pytest.approx(2e-4, rel=3e-3)


def test_a_banned_token_is_infinitely_far() -> None:
    """Nothing draws an end of turn that min_tokens holds back."""
    logits = np.array([0.0, 1.0, 9.0])

    assert gap_of(2, logits, Turn(settings=Settings(min_tokens=5), ids=[0], drawn=4, ends=[2])) == np.inf


def _would_win(token: int, logits: Floats, seed: int) -> bool:
    """Whether it has by far the most noise, so that it is drawn if it is kept."""
    open_to_all = Settings(temperature=1.0, seed=seed)
    rest = np.where(np.arange(len(logits)) == token, logits - 0.5, logits)
    return gap_of(token, rest, turn(open_to_all)) == 0


def _share_before_third(beyond: float) -> float:
    """A top_p such that the third token is kept once it rises by `beyond` against the two before it."""
    odds = 2 * np.e / np.exp(-1.0 + beyond)
    return float(odds / (odds + 1))
