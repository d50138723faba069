"""The decoder on small models of random weights, of every kind that keeps its state in another way.

pytest's own process has MLX's reference BLAS, on which a row is the same bit for bit in any batch.
"""

from collections.abc import Callable

import pytest

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.model import Model
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings

from .small import KINDS, decoder_of, rows, run

MIXED = rows((5, 30), (1, 20), (40, 25), (140, 10), (20, 40), (3, 5))


@pytest.mark.parametrize("build_model", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_rows_are_the_same_together_and_alone(build_model: Callable[[], Model], is_ahead: bool) -> None:
    """Whatever state a model keeps, and whether steps are computed ahead or not."""
    decoder = decoder_of(build_model(), is_ahead=is_ahead)

    alone = [run(decoder, [row])[row.key] for row in MIXED]

    assert list(run(decoder, MIXED).values()) == alone
    assert [len(ids) for ids in alone] == [row.limit for row in MIXED]


@pytest.mark.parametrize("build_model", KINDS.values(), ids=KINDS.keys())
def test_a_group_of_which_only_some_have_an_id_to_read_is_read(build_model: Callable[[], Model]) -> None:
    """One id and no more looks like a decode step, and some caches take no padding then."""
    decoder = decoder_of(build_model())
    given = rows((1, 5), (2, 5), (1, 5), (30, 5))

    alone = [run(decoder, [row])[row.key] for row in given]

    assert list(run(decoder, given[:3]).values()) == alone[:3]
    assert list(run(decoder, given).values()) == alone


def test_a_model_that_can_not_be_batched_is_served_one_at_a_time() -> None:
    """It is slower, but it is served: its decoder has one slot, and says so."""
    decoder = decoder_of(KINDS["unmergeable"]())

    assert decoder.slots == 1
    assert run(decoder, MIXED) == run(decoder_of(KINDS["full attention"]()), MIXED)


@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_a_dropped_row_leaves_the_others_undisturbed(is_ahead: bool) -> None:
    """Wherever it was: waiting, being read, or in the batch."""
    decoder = decoder_of(KINDS["full attention"](), slots=3, is_ahead=is_ahead)
    survivor = rows((9, 30))[0]
    undisturbed = run(decoder, [survivor])[survivor.key]
    others = [Row(key=key, ids=[key] * (key * 40), drawn=0, limit=99, settings=Settings()) for key in (1, 2, 3, 4)]
    drawn: list[int] = []

    for row in (survivor, *others):
        decoder.add(row)
    for turn in range(40):
        decoder.admit()
        drawn += [token for key, token, _ in decoder.decode() if key == survivor.key]
        decoder.drop({turn} if turn in (1, 2, 3, 4) else set())
        if len(drawn) == survivor.limit:
            decoder.drop({survivor.key})
        decoder.prefill()

    assert drawn == undisturbed
    assert decoder.is_idle
    assert decoder.kv_bytes == 0


def test_a_resumed_row_goes_on_as_the_undisturbed_one() -> None:
    """State that was read is the state that was decoded, and draws are counted from the completion's first."""
    decoder = decoder_of(KINDS["full attention"]())
    whole = run(decoder, MIXED)

    rest = run(
        decoder,
        [
            Row(key=row.key, ids=[*row.ids, *whole[row.key][:3]], drawn=3, limit=row.limit, settings=row.settings)
            for row in MIXED
        ],
    )

    assert rest == {key: ids[3:] for key, ids in whole.items()}


def test_any_prefill_step_will_do() -> None:
    """A step of one token is slow, and nothing else."""
    model = KINDS["full attention"]()
    small = Decoder(model, ends=[], slots=8, prefill_step=1, is_ahead=False)
    small.warm_up()

    assert run(small, MIXED[:3]) == run(decoder_of(model), MIXED[:3])


def test_slots_are_never_exceeded_and_never_idle() -> None:
    """As many rows run as there are slots, while others wait."""
    decoder = decoder_of(KINDS["full attention"](), slots=2)
    for row in rows(*[(4, 5)] * 7):
        decoder.add(row)

    decoder.admit()

    assert (decoder.busy, decoder.waiting, decoder.tokens_to_read) == (2, 5, 7 * 3)
    assert decoder.admit() == []


@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_a_first_id_is_told_by_the_step_that_draws_it(is_ahead: bool) -> None:
    """Whoever waits for it does not wait for the step behind it, alone or beside others; and nothing is told twice."""
    model = KINDS["full attention"]()
    given = rows((20, 9), (12, 7))
    decoder = decoder_of(model, is_ahead=is_ahead)
    drawn: dict[int, list[int]] = {row.key: [] for row in given}

    for row in given:
        decoder.add(row)
        decoder.admit()
        while decoder.tokens_to_read:
            decoder.prefill()
        for each in decoder.decode():
            drawn[each.key].append(each.token)
        assert len(drawn[row.key]) == 1

    while not decoder.is_idle:
        for each in decoder.decode():
            drawn[each.key].append(each.token)
        decoder.drop({row.key for row in given if len(drawn[row.key]) == row.limit})
    assert drawn == run(decoder_of(model), given)
