"""How long jobs wait: what is reckoned from what was measured."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.keys import CLASSES
from shared.standing import SHARES
from shared.survey import Survey, WorkerView
from shared.waits import (
    ENOUGH,
    MOST_MS,
    Waited,
    decode_waits,
    encode_waits,
    expected_wait_ms,
    key_of,
    merged,
    waited_like,
)

COUNTS = some.integers(0, 10**9)
WAITED = some.builds(Waited, jobs=COUNTS, wait_ms=COUNTS, places=COUNTS)
PLACES = some.integers(-100, 10**6)
RATES = some.floats(allow_nan=True, allow_infinity=True)


@given(PLACES, RATES, some.none() | WAITED)
def test_a_wait_is_a_time_or_unknown(place: int, rate: float, waited: Waited | None) -> None:
    """Whatever workers tell of themselves: never less than nothing, never more than a queue lets a job wait."""
    wait_ms = expected_wait_ms(place, rate, waited)

    assert wait_ms is None or 0 <= wait_ms <= MOST_MS


@given(PLACES, some.integers(0, 1_000), some.floats(0, 1e6), some.none() | WAITED)
def test_who_stands_further_back_waits_no_less(place: int, more: int, rate: float, waited: Waited | None) -> None:
    """A job that lets another one before it does not come sooner."""
    nearer, further = (expected_wait_ms(each, rate, waited) for each in (place, place + more))

    assert nearer is None or further is None or nearer <= further


@given(some.integers(-100, 0), RATES, some.none() | WAITED)
def test_with_a_free_seat_nobody_waits(place: int, rate: float, waited: Waited | None) -> None:
    """Whatever was measured while there was none."""
    assert expected_wait_ms(place, rate, waited) == 0


@given(some.integers(1, 10**6), some.floats(1e-3, 1e6), WAITED)
def test_nobody_without_a_seat_waits_less_than_the_next_end(place: int, rate: float, waited: Waited) -> None:
    """However quickly its like was taken: a seat has to become free first."""
    wait_ms = expected_wait_ms(place, rate, waited)

    assert wait_ms is not None
    assert wait_ms >= math.floor(min(MOST_MS, 1_000 / rate))


@given(some.integers(1, 10**6), some.floats(1e-3, 1e6))
def test_with_nothing_measured_it_is_the_pools_pace(place: int, rate: float) -> None:
    """So many ends, at so many a second."""
    assert (
        expected_wait_ms(place, rate, None)
        == expected_wait_ms(place, rate, Waited())
        == int(min(MOST_MS, place * (1_000 / rate)))
    )


@pytest.mark.parametrize(
    ("place", "rate", "expected_ms"),
    [(10, 1.0, 30_000), (20, 1.0, 40_000), (5, 1.0, 25_000), (20, 0.0, 60_000), (20, 0.1, 60_000), (1, 10.0, 29_100)],
    ids=["as measured", "a longer line", "a shorter one", "no pace known", "a slow pool", "a quick one"],
)
def test_a_longer_line_than_was_measured_counts_at_the_quicker_pace(place: int, rate: float, expected_ms: int) -> None:
    """Those measured waited 30 s on the mean, at place 10; what it has grown by is added, what it lost is taken off."""
    assert expected_wait_ms(place, rate, Waited(5, 150_000, 50)) == expected_ms


def test_those_who_are_let_before_others_come_forward_quicker_than_the_pool_ends_jobs() -> None:
    """Warm and short prompts: 1 s at place 10 where the pool ends one job a second, and so 2 s at place 20."""
    assert expected_wait_ms(20, 1.0, Waited(5, 5_000, 50)) == 2_000


def test_sizes_are_told_apart_by_tokens() -> None:
    """Up to and with a bound."""
    keys = [key_of("std", tokens) for tokens in (0, 512, 513, 4_096, 16_384, 16_385, 10**7)]

    assert keys == ["std.s", "std.s", "std.m", "std.m", "std.l", "std.x", "std.x"]


def test_the_like_of_a_job_are_its_class_and_size_else_its_class() -> None:
    """Too few of a size are no mean; another class is no measure at all."""
    few, many = Waited(ENOUGH - 1, 1, 1), Waited(ENOUGH, 2, 2)
    waits = {"std.s": many, "std.m": few, "hi.s": few}

    assert waited_like(waits, "std", 1) == many
    assert waited_like(waits, "std", 600) == waited_like(waits, "std", None) == many.and_also(few)
    assert waited_like(waits, "hi", 1) is waited_like(waits, "lo", 1) is waited_like(waits, "", 1) is None


@given(some.lists(some.dictionaries(some.sampled_from(["std.s", "hi.m"]), WAITED), max_size=4))
def test_what_workers_tell_is_read_as_it_was_written(tables: list[dict[str, Waited]]) -> None:
    """And several of them count as one worker that had taken all."""
    assert [decode_waits(encode_waits(table)) for table in tables] == tables
    told = merged(tables)
    assert sum(waited.jobs for waited in told.values()) == sum(each.jobs for table in tables for each in table.values())


@pytest.mark.parametrize("text", ["", "x", "[]", '{"std.s":1}', '{"std.s":[-1,0,0]}', '{"std.s":[1e999,0,0]}'])
def test_what_is_no_such_table_says_nothing(text: str) -> None:
    """A worker of another version must not end a survey."""
    assert decode_waits(text) == {}


def survey(*, waiting: int, busy: int, **told: Any) -> Survey:
    """One worker of four seats that ends two jobs a second."""
    worker = WorkerView("w", state="ready", lease_ends_in_ms=1_000, slots=4, busy=busy, job_seconds=2.0)
    return Survey("m", 0, {"re": 0, "hi": 0, "std": waiting, "lo": 0, "sus": 0}, busy, 0, [worker], 0, **told)


def test_a_survey_expects_by_class_and_size() -> None:
    """What was measured of std says nothing of hi, for which the pool's pace stands."""
    full = survey(waiting=7, busy=4, waits={"std.s": Waited(4, 32_000, 32), "std.x": Waited(4, 64_000, 32)})

    assert full.wait_ms_of_new("std", 100) == 8_000
    assert full.wait_ms_of_new("std", 20_000) == 16_000
    assert full.expected_wait_ms_by_class == {"hi": 500, "std": 12_000, "lo": 2_000}


WAITING = some.dictionaries(some.sampled_from(CLASSES), some.integers(0, 2_000))
TABLES = some.dictionaries(some.sampled_from(["hi.s", "std.s", "std.m", "lo.x"]), WAITED)


@given(WAITING, some.sampled_from(CLASSES), some.integers(0, 50), TABLES, some.sampled_from([None, 100, 20_000]))
def test_the_more_wait_the_longer_is_the_wait(
    waiting: dict[str, int], longer: str, more: int, waits: dict[str, Waited], tokens: int | None
) -> None:
    """Of whatever class they are, for each class and size."""
    before, after = (
        msgspec.structs.replace(survey(waiting=0, busy=3, waits=waits), waiting=each)
        for each in (waiting, {**waiting, longer: waiting.get(longer, 0) + more})
    )

    for name in SHARES:
        one, other = before.wait_ms_of_new(name, tokens), after.wait_ms_of_new(name, tokens)
        assert one is not None
        assert other is not None
        assert one <= other


def test_while_nobody_is_ready_no_wait_is_known() -> None:
    """What the last minute was like says nothing of a pool that loads."""
    waits = {"std.s": Waited(9, 9_000, 9)}
    loading = WorkerView("w", state="loading", lease_ends_in_ms=1_000, progress=0.25)

    seen = Survey("m", 0, {"std": 1}, 0, 0, [loading], 0, waits)

    assert (seen.expected_wait_ms, seen.loading) == (None, 0.25)
