"""The batched sampler against a plain one: a row at a time, in float64, sorting everything."""

import dataclasses
from typing import cast

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some
from numpy.typing import NDArray

from worker.engine.decode.controls import controls_of
from worker.engine.decode.noise import fold, gumbel, gumbel_bound
from worker.engine.decode.recent import Recent
from worker.engine.decode.sampling import draw
from worker.engine.decode.settings import Settings

ENDS = [2, 5]
# What the API gives who asks for nothing.
DEFAULTS = Settings(
    temperature=0.7, top_k=40, top_p=0.95, repeat_penalty=1.1, presence_penalty=0.2, frequency_penalty=0.3
)


def drawn(logits: NDArray[np.float32], rows: list[Settings], ids: list[list[int]], positions: list[int]) -> list[int]:
    """What the batched sampler draws for rows that have these ids."""
    recent = Recent.of([(each, row) for each, row in zip(ids, rows, strict=True)])
    recent.push(mx.array([each[-1] for each in ids]))
    tokens = draw(mx.array(logits), controls_of(rows), recent, np.array(positions), mx.array(ENDS))
    return [int(token) for token in np.array(tokens)]


def adjusted(logits: NDArray[np.float32], row: Settings, ids: list[int], position: int) -> NDArray[np.float64]:
    """One row's logits after bias, penalties and the hold on ending, by the book."""
    scores = logits.astype(np.float64)
    for token, value in row.logit_bias:
        scores[token] += value
    window = ids[-row.repeat_last_n :] if row.repeat_last_n else []
    for token in set(window):
        scores[token] *= row.repeat_penalty if scores[token] <= 0 else 1 / row.repeat_penalty
        scores[token] -= row.presence_penalty + row.frequency_penalty * window.count(token)
    if position < row.min_tokens:
        scores[ENDS] = -np.inf
    return scores


def shares(scores: NDArray[np.float64], row: Settings) -> NDArray[np.float64]:
    """What probability each id has after top_k, top_p, min_p and temperature, by the book."""
    order = np.argsort(-scores, kind="stable")
    order = order[: row.top_k] if row.top_k else order
    before = np.exp(scores[order] - scores.max())
    before /= before.sum()
    order = order[np.cumsum(before) - before < row.top_p] if row.top_p < 1 else order
    order = order[np.exp(scores[order] - scores.max()) >= row.min_p]
    kept = np.zeros(len(scores))
    kept[order] = np.exp((scores[order] - scores.max()) / row.temperature)
    return kept / kept.sum()


def plain(logits: NDArray[np.float32], row: Settings, ids: list[int], position: int) -> int:
    """What the plain sampler draws, with the same noise."""
    scores = adjusted(logits, row, ids, position)
    if row.is_greedy:
        return int(np.argmax(scores))
    keys = mx.array(fold(np.array([row.seed], dtype=np.uint64), np.array([position])))
    noise = np.array(gumbel(keys, mx.arange(len(logits))[None, :]))[0]
    with np.errstate(divide="ignore"):
        return int(np.argmax(np.log(shares(scores, row)) + noise))


any_row = some.builds(
    Settings,
    temperature=some.sampled_from([0.0, 0.3, 0.7, 1.0, 3.0]),
    top_k=some.sampled_from([0, 1, 3, 40, 200]),
    top_p=some.sampled_from([0.05, 0.5, 0.95, 1.0]),
    min_p=some.sampled_from([0.0, 0.02, 0.5]),
    repeat_penalty=some.sampled_from([0.8, 1.0, 1.1, 2.0]),
    repeat_last_n=some.sampled_from([0, 1, 5, 64, 200]),
    presence_penalty=some.sampled_from([-1.0, 0.0, 0.5]),
    frequency_penalty=some.sampled_from([0.0, 0.7]),
    logit_bias=some.sampled_from([(), ((0, 2.0),), ((3, -100.0), (2, 8.0))]),
    min_tokens=some.sampled_from([0, 4]),
    seed=some.integers(0, 2**63 - 1),
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    rows=some.lists(any_row, min_size=1, max_size=6),
    vocabulary=some.sampled_from([7, 60, 1_000, 3_001]),
    seed=some.integers(0, 10_000),
)
def test_a_batch_draws_what_each_row_draws_by_the_book(rows: list[Settings], vocabulary: int, seed: int) -> None:
    """Whatever the rows' settings and whoever shares the batch, each draws as the plain sampler does."""
    chance = np.random.default_rng(seed)
    logits = (chance.standard_normal((len(rows), vocabulary)) * 3).astype(np.float32)
    ids = [chance.integers(0, vocabulary, chance.integers(1, 90)).tolist() for _ in rows]
    positions = chance.integers(0, 9, len(rows)).tolist()

    together = drawn(logits, rows, ids, positions)

    assert together == [plain(logits[row], settings, ids[row], positions[row]) for row, settings in enumerate(rows)]


@pytest.mark.parametrize(
    "row",
    [
        Settings(temperature=1.0),
        Settings(temperature=0.5, top_k=12),
        Settings(temperature=1.5, top_p=0.8),
        Settings(temperature=0.9, top_k=30, top_p=0.9, min_p=0.03),
        dataclasses.replace(DEFAULTS, top_k=0),
        DEFAULTS,
    ],
    ids=str,
)
def test_draws_are_distributed_as_the_settings_say(row: Settings) -> None:
    """Over many seeds and positions each id comes as often as its probability (chi-square, p > 1e-4)."""
    logits = (np.random.default_rng(5).standard_normal(40) * 2).astype(np.float32)
    ids, count = [7, 7, 9], 200
    rows = [dataclasses.replace(row, seed=seed) for seed in range(count)]

    tokens = [
        token
        for position in range(100)
        for token in drawn(np.tile(logits, (count, 1)), rows, [ids] * count, [position] * count)
    ]

    expected = shares(adjusted(logits, row, ids, 0), row) * len(tokens)
    seen = np.bincount(tokens, minlength=len(logits))
    often = expected >= 5
    assert seen[expected == 0].sum() == 0
    deviation = ((seen[often] - expected[often]) ** 2 / expected[often]).sum()
    freedom = int(often.sum()) - 1
    assert deviation < freedom + 4 * np.sqrt(2 * freedom) + 8


def test_a_row_draws_the_same_alone_and_among_any_others() -> None:
    """Neighbours with longer windows, larger top_k and open vocabularies change nothing for a row."""
    chance = np.random.default_rng(3)
    logits = (chance.standard_normal((4, 2_000)) * 3).astype(np.float32)
    wide = dataclasses.replace(DEFAULTS, top_k=900, repeat_last_n=300, seed=1)
    rows = [DEFAULTS, wide, Settings(temperature=1.0, top_p=0.99), Settings()]
    ids = [chance.integers(0, 2_000, 400).tolist() for _ in rows]

    alone = [drawn(logits[row : row + 1], [rows[row]], [ids[row]], [3])[0] for row in range(4)]

    assert drawn(logits, rows, ids, [3, 3, 3, 3]) == alone


def test_equal_logits_at_the_limit_of_top_k_are_parted_by_id() -> None:
    """Ties, which half-precision logits are full of, are broken alike whatever the others' top_k."""
    logits = np.tile(np.linspace(0, 0.5, 500, dtype=np.float32), (2, 1))
    logits[:, 300:320] = 1.0
    narrow, wide = Settings(temperature=1.0, top_k=5), Settings(temperature=1.0, top_k=100)

    ids = {
        drawn(logits, [dataclasses.replace(narrow, seed=seed), other], [[9], [9]], [0, 0])[0]
        for seed in range(40)
        for other in (narrow, wide)
    }

    assert ids == {300, 301, 302, 303, 304}


@pytest.mark.parametrize("top_k", [0, 40])
def test_a_nucleus_of_next_to_nothing_is_the_likeliest_id(top_k: int) -> None:
    """A share too small for float32 is not none at all, of which any id would be drawn."""
    logits = np.zeros((1, 2_000), dtype=np.float32)
    logits[0, 1_700] = 1.0

    assert drawn(logits, [Settings(temperature=1.0, top_k=top_k, top_p=1e-60)], [[9]], [0]) == [1_700]


def test_half_precision_logits_are_sampled_in_float32() -> None:
    """Penalties and probabilities are not rounded to the model's own precision."""
    logits = np.linspace(0, 4, 300, dtype=np.float32)[None, :]
    halves = mx.array(logits).astype(mx.bfloat16)
    recent = Recent.of([([299], DEFAULTS)])

    token = draw(halves, controls_of([DEFAULTS]), recent, np.array([0]), mx.array(ENDS))

    exact = cast("NDArray[np.float32]", np.array(halves.astype(mx.float32)))
    assert token.tolist() == [plain(exact[0], DEFAULTS, [299, 299], 0)]


def test_the_bound_of_the_noise_is_one() -> None:
    """Drawing among a few contenders is exact only because no noise passes its bound."""
    keys = mx.array(fold(np.arange(500, dtype=np.uint64), np.zeros(500, dtype=np.int64)))
    ids = mx.arange(2_000)[None, :]

    noise, bound = gumbel(keys, ids), gumbel_bound(keys, ids)

    assert mx.all(bound >= noise).item()
    assert mx.all((noise < 3) | (bound - noise < 0.1)).item()


def test_nonsense_from_a_model_still_draws_an_id_it_has() -> None:
    """A row of NaN (an overflow in the model) can't make the next step read outside of the embedding."""
    logits = np.full((2, 2_001), np.nan, dtype=np.float32)

    tokens = drawn(logits, [DEFAULTS, Settings(temperature=1.0)], [[1], [1]], [0, 0])

    assert all(0 <= token < 2_001 for token in tokens)
