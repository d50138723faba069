"""What rows are told of how likely the model held their ids, against a plain log-softmax of the model's own logits."""

from collections.abc import Sequence
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from worker.engine.decode.drawn import Drawn, Likelihood
from worker.engine.decode.likelihood import Asking
from worker.engine.decode.model import KV, Model
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings

from .small import KINDS, VOCABULARY, decoder_of, rows, run, run_whole

AHEAD = pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
PLAIN = rows((5, 30), (1, 20), (40, 25), (140, 10), (20, 40), (3, 5))
WAYS = [
    Settings(),
    Settings(temperature=1.4, seed=1),
    Settings(temperature=0.7, top_k=5, repeat_penalty=1.5, frequency_penalty=1.0, seed=2),
    Settings(temperature=0.9, top_p=0.8, min_p=0.05, seed=3),
    Settings(logit_bias=((7, 90.0), (8, -90.0)), seed=4),
    Settings(temperature=2.0, top_k=300, seed=5),
]


class Even:
    """Allows even ids."""

    def allow(self, words: NDArray[np.uint32]) -> None:
        """Set every other bit."""
        words[:] = 0x55555555

    def advance(self, token: int) -> None:
        """Stay so."""
        assert token % 2 == 0


def asked(given: Sequence[Row], *, count: int = 4) -> list[Row]:
    """The rows, every other one of which asks, in every way of sampling; two are guided."""
    guides = {2: Even(), 3: Even()}
    return [
        replace(row, settings=way, guide=guides.get(row.key), logprobs=count if row.key % 2 == 0 else None)
        for row, way in zip(given, WAYS, strict=True)
    ]


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The plain formula, [rows, vocabulary]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def reference(model: Model, row: Row, drawn: Sequence[int]) -> NDArray[np.float64]:
    """What the model says at each of the drawn ids' places, read in one go."""
    logits = KV.fresh(model).forward(model, mx.array([[*row.ids, *drawn[:-1]]]))[0, len(row.ids) - 1 :]
    return log_softmax(np.array(logits.astype(mx.float32)).astype(np.float64))


def likelihoods(drawn: Sequence[Drawn]) -> list[Likelihood]:
    """Those of ids that all have them."""
    return [each.likelihood for each in drawn if each.likelihood is not None]


@AHEAD
@pytest.mark.parametrize("slots", [8, 2])
def test_they_are_the_models_own(is_ahead: bool, slots: int) -> None:
    """Of its raw logits, however the row samples, whatever a grammar forbids, and whoever joins and leaves."""
    model = KINDS["full attention"]()
    given = asked(PLAIN)

    told = run_whole(decoder_of(model, slots=slots, is_ahead=is_ahead), given)

    for row in given[::2]:
        drawn = [each.token for each in told[row.key]]
        expected = reference(model, row, drawn)
        own = likelihoods(told[row.key])
        assert len(own) == len(drawn) == row.limit
        for place, (token, likelihood) in enumerate(zip(drawn, own, strict=True)):
            assert likelihood.drawn == pytest.approx(expected[place][token], abs=1e-4)
            assert [value for _, value in likelihood.best] == pytest.approx(np.sort(expected[place])[:-5:-1], abs=1e-4)
            assert [value for _, value in likelihood.best] == pytest.approx(
                [expected[place][each] for each, _ in likelihood.best], abs=1e-4
            )


@AHEAD
def test_who_does_not_ask_is_told_nothing_and_notices_nothing(is_ahead: bool) -> None:
    """The same ids bit for bit, whether the row itself or its neighbours ask or not."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    silent = [replace(row, logprobs=None) for row in asked(PLAIN)]

    told = run_whole(decoder, asked(PLAIN))

    assert {key: [each.token for each in drawn] for key, drawn in told.items()} == run(decoder, silent)
    assert [likelihoods(told[key]) for key in (1, 3, 5)] == [[], [], []]


@AHEAD
def test_they_are_the_same_together_and_alone(is_ahead: bool) -> None:
    """To the bit; neighbours that ask for another number of ids change nothing either."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    given = [replace(row, logprobs=3 * row.key) for row in asked(PLAIN)]
    alone = [run_whole(decoder, [row])[row.key] for row in given]

    together = run_whole(decoder, given)

    assert list(together.values()) == alone
    assert [len(own.best) for own in likelihoods(alone[5])] == [15] * given[5].limit
    assert [own.best for own in likelihoods(alone[0])] == [[]] * given[0].limit


@AHEAD
def test_a_row_that_asks_does_not_guess(is_ahead: bool) -> None:
    """A step an id, as in company: guesses are checked without measuring."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    one_word = Settings(logit_bias=((100, 50.0),))
    before = decoder.steps

    told = run_whole(decoder, [Row(key=1, ids=[5, 6, 7], drawn=0, limit=90, settings=one_word, logprobs=0)])[1]

    assert decoder.steps - before == len(likelihoods(told)) == 90


@AHEAD
def test_a_resumed_row_is_told_of_its_new_ids(is_ahead: bool) -> None:
    """What it would have been told undisturbed."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    given = asked(PLAIN)[0]
    whole = run_whole(decoder, [given])[0]

    rest = run_whole(
        decoder, [replace(given, ids=[*given.ids, *(each.token for each in whole[:9])], drawn=9)]
    )[0]  # fmt: skip

    assert [each.token for each in rest] == [each.token for each in whole[9:]]
    expected = [own.drawn for own in likelihoods(whole[9:])]
    assert [own.drawn for own in likelihoods(rest)] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", [mx.float32, mx.bfloat16, mx.float16], ids=str)
def test_equals_stand_in_the_order_of_their_ids(kind: mx.Dtype) -> None:
    """In whatever type a model computes; so which of them are told does not depend on how many a neighbour wants."""
    logits = mx.zeros((2, VOCABULARY)).astype(kind)
    logits[:, mx.array([300, 40, 7])] = 5.0
    asking = Asking(keys=(8, 9), counts=(2, 3), index=None)

    told = asking.measure(logits, mx.array([7, 41])).read()

    total = np.log(3 * np.exp(5) + VOCABULARY - 3)
    assert [[token for token, _ in told[key].best] for key in (8, 9)] == [[7, 40], [7, 40, 300]]
    assert (told[8].drawn, told[9].drawn) == pytest.approx((5 - total, -total), abs=1e-5)
