"""Lanes: rows of about one length decode together, a long one apart; their ids are what they would be alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mlx.core as mx
import pytest

from worker.engine.decode.admission import worth_tokens
from worker.engine.decode.lanes import Shape, choose_lane, find_pair
from worker.engine.decode.model import Model

from .small import KINDS, decoder_of, rows, run_whole

MERGEABLE = {name: build for name, build in KINDS.items() if name != "unmergeable"}


class Counting:
    """A model that counts how often it is called."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.layers = model.layers
        self.calls = 0

    def __call__(self, inputs: mx.array, /, *, cache: list[Any]) -> mx.array:
        """The model's own answer."""
        self.calls += 1
        return self._model(inputs, cache=cache)

    def parameters(self) -> dict[str, Any]:
        """The model's own."""
        return self._model.parameters()


@pytest.mark.parametrize(
    ("lanes", "newcomers", "place"),
    [
        ([], Shape(1, 9), None),
        ([Shape(8, 100)], Shape(1, 200), 0),
        ([Shape(8, 100)], Shape(1, 3_000), None),
        ([Shape(1, 3_000)], Shape(8, 100), None),
        ([Shape(1, 3_000)], Shape(1, 2_100), 0),
        ([Shape(8, 100), Shape(1, 3_000)], Shape(1, 2_500), 1),
        ([Shape(8, 100), Shape(1, 3_000)], Shape(2, 300), 0),
        ([Shape(8, 100), Shape(2, 3_000), Shape(1, 9_000), Shape(1, 30_000)], Shape(1, 80_000), 3),
    ],
)
def test_rows_join_where_they_waste_least_or_stay_apart(
    lanes: list[Shape], newcomers: Shape, place: int | None
) -> None:
    """What is wasted is the shorter side's padding; here 2,000 tokens of it cost as much as another lane."""
    assert choose_lane(lanes, newcomers, 2_000) == place


def test_nothing_is_wasted_that_memory_has_no_room_for() -> None:
    """Rows were let in by their own length: padding takes what is spare, else they have a lane, beyond four even."""
    lanes = [Shape(1, 500), Shape(1, 3_000), Shape(1, 9_000), Shape(1, 30_000)]

    assert choose_lane(lanes, Shape(2, 300), 2_000, spare_tokens=400) == 0
    assert choose_lane(lanes, Shape(2, 300), 2_000, spare_tokens=399) is None


def test_lanes_become_one_when_that_is_cheaper() -> None:
    """The two that waste least together; none where that is too much."""
    assert find_pair([Shape(8, 100), Shape(1, 3_000), Shape(1, 3_500)], 1_000) == (1, 2)
    assert find_pair([Shape(8, 100), Shape(1, 3_000)], 1_000) is None
    assert find_pair([Shape(8, 100)], 1_000) is None


def test_what_another_lane_costs_is_reading_the_weights_once_more() -> None:
    """In tokens of state, which cost a CPU twice as much by the byte."""
    assert worth_tokens(4_000_000, 1_000, is_gpu=True) == 4_000
    assert worth_tokens(4_000_000, 1_000, is_gpu=False) == 2_000
    assert worth_tokens(4_000_000, 0, is_gpu=True) == float("inf")


@pytest.mark.parametrize("build_model", MERGEABLE.values(), ids=MERGEABLE.keys())
@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_a_row_is_the_same_in_any_lane_and_when_lanes_become_one(
    build_model: Callable[[], Model], is_ahead: bool
) -> None:
    """Ids and likelihoods, when short ones end and what is left of them goes on with a long one, and the reverse."""
    given = rows((5, 8), (5, 70), (6, 9), (7, 8), (90, 60), (5, 8), (4, 40), (300, 12), (8, 50))
    given = [replace(row, logprobs=2 if row.key % 3 == 1 else None) for row in given]
    decoder = decoder_of(build_model(), is_ahead=is_ahead)

    together = run_whole(decoder, given)

    for row in given:
        alone = run_whole(decoder, [row])[row.key]
        assert [each.token for each in together[row.key]] == [each.token for each in alone]
        assert [each.likelihood is None for each in together[row.key]] == [row.logprobs is None] * row.limit


def test_a_long_row_does_not_make_its_neighbours_as_large() -> None:
    """Of five rows four are short: together they would hold five times the long one's state."""
    long, *short = rows((400, 90), (5, 90), (6, 90), (7, 90), (8, 90))
    decoder = decoder_of(KINDS["full attention"]())
    alone = decoder_of(KINDS["full attention"]())
    for machine, given in ((decoder, [long, *short]), (alone, [long])):
        for row in given:
            machine.add(row)
        for _ in range(40):
            machine.admit()
            machine.decode()
            machine.prefill()

    assert decoder.busy == 5
    assert decoder.kv_bytes < 3 * alone.kv_bytes


def test_what_is_left_of_two_lanes_takes_one_step() -> None:
    """Four short rows and a longer one are two lanes; a single short one is worth none of its own."""
    model = Counting(KINDS["full attention"]())
    decoder = decoder_of(model)
    given = rows((130, 60), (5, 60), (5, 9), (5, 9), (5, 9))
    for row in given:
        decoder.add(row)
    calls: list[tuple[int, int]] = []

    drawn = {row.key: 0 for row in given}
    while not decoder.is_idle:
        decoder.admit()
        before = model.calls
        for each in decoder.decode():
            drawn[each.key] += 1
        calls.append((decoder.busy, model.calls - before))
        decoder.drop({row.key for row in given if drawn[row.key] == row.limit})
        decoder.prefill()

    assert (5, 2) in calls
    assert (2, 1) in calls
    assert (2, 2) not in calls


def test_a_row_guesses_only_where_nobody_waits_for_its_step() -> None:
    """A lane to itself is not enough: a guess makes its step longer, and other lanes wait for it."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=True)
    quoting = [3, 1, 4, 1, 5, 9, 2, 6] * 40
    given = [replace(row, ids=quoting if row.key == 0 else row.ids) for row in rows((1, 40), *((5, 40),) * 6)]

    for row in given:
        decoder.add(row)
    while decoder.waiting or decoder.tokens_to_read:
        decoder.admit()
        decoder.prefill()

    steps = [[each.key for each in decoder.decode()] for _ in range(20)]
    assert all(keys.count(0) <= 1 for keys in steps)
