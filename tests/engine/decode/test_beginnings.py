"""What the rows of a burst begin with is read once: same ids, less to compute."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import mlx.core as mx
import pytest

from worker.engine.decode.model import Model
from worker.engine.decode.prefill import common_beginning
from worker.engine.decode.row import Row

from .small import KINDS, decoder_of, rows, run

PLENTY = 1 << 30
SYSTEM = [(at * 29 + 3) % 400 for at in range(40)]


class Counting:
    """A model that counts the ids it is fed."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.layers = model.layers
        self.fed = 0

    def __call__(self, inputs: mx.array, /, *, cache: list[Any]) -> mx.array:
        """The model's own answer."""
        self.fed += inputs.size
        return self._model(inputs, cache=cache)

    def parameters(self) -> dict[str, Any]:
        """The model's own."""
        return self._model.parameters()


def burst(*, tenants: Sequence[str] = ("",)) -> list[Row]:
    """Six rows with one system prompt, each with a question of its own."""
    return [
        replace(row, ids=[*SYSTEM, *row.ids], tenant=tenants[place % len(tenants)])
        for place, row in enumerate(rows(*((5 + at, 6) for at in range(6))))
    ]


def fed_by(given: Sequence[Row]) -> int:
    """How many ids of prompts are computed for these rows, all at once."""
    model = Counting(KINDS["full attention"]())
    decoder = decoder_of(model, cache_bytes=PLENTY)
    before = model.fed
    for row in given:
        decoder.add(row)
    while decoder.waiting or decoder.tokens_to_read:
        decoder.admit()
        decoder.prefill()
    return model.fed - before


@pytest.mark.parametrize("build_model", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("cache_bytes", [0, PLENTY], ids=["no cache", "cache"])
def test_who_begins_alike_is_who_he_would_be_alone(build_model: Callable[[], Model], cache_bytes: int) -> None:
    """On every kind of model, greedy and sampled, with boundaries in what is shared and behind it."""
    model = build_model()
    alone = {row.key: run(decoder_of(model), [row])[row.key] for row in burst()}

    together = [replace(row, boundaries=(20, 42)) for row in burst()]

    assert run(decoder_of(model, cache_bytes=cache_bytes), together) == alone


def test_what_all_begin_with_is_read_once() -> None:
    """The system prompt costs what it costs one row; the questions are padded to the longest."""
    longest = max(len(row.ids) for row in burst())

    fed = fed_by(burst())

    assert fed <= len(SYSTEM) + 6 * (longest - len(SYSTEM))


def test_tenants_share_nothing() -> None:
    """Nobody's time to the first token tells what another tenant has asked."""
    assert common_beginning(burst(tenants=("a", "b"))) == 0
    assert fed_by(burst(tenants=("a", "b"))) > 2 * len(SYSTEM)


def test_a_row_s_last_id_is_never_common() -> None:
    """The batch feeds it, whatever others go on with."""
    one = burst()[0]

    assert common_beginning([one, replace(one, ids=one.ids[:10])]) == 9
    assert common_beginning([one]) == len(one.ids) - 1
    assert common_beginning(burst()) == len(SYSTEM)
