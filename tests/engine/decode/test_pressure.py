"""How short memory is, and who has to go: by table, and for any rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.decode.pressure import HARD, SOFT, Held, Pressure, pressure_of, to_spare, too_many

LIMIT = 1_000
FULL = int(LIMIT * HARD)
ROWS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5_000)), max_size=12).map(
    lambda pairs: [Held(key, kv_bytes, ids) for key, (kv_bytes, ids) in enumerate(pairs)]
)


@pytest.mark.parametrize(
    ("used", "before", "after"),
    [
        (849, "", ""),
        (850, "", "soft"),
        (949, "", "soft"),
        (950, "", "hard"),
        (2_000, "", "hard"),
        (949, "hard", "soft"),
        (800, "hard", "soft"),
        (800, "soft", "soft"),
        (799, "soft", ""),
        (799, "hard", ""),
    ],
)
def test_what_was_short_stays_so_until_it_is_calm(used: int, before: Pressure, after: Pressure) -> None:
    """Between the marks it depends on where one comes from, so that nobody swings around a mark."""
    assert pressure_of(used, LIMIT, before) == after


def test_what_is_only_kept_goes_as_far_as_needed_and_above_the_hard_mark_all_of_it() -> None:
    """No row has to leave while the prompt cache holds anything."""
    assert [to_spare(used, LIMIT) for used in (0, 850, 900, 950)] == [0, 0, 50, 950]


def test_below_the_hard_mark_nobody_leaves() -> None:
    """Rows that are there may end."""
    assert too_many(FULL - 1, LIMIT, [Held(1, 400, 10), Held(2, 400, 10)]) == []


def test_those_with_least_work_lost_leave_until_it_is_enough() -> None:
    """A batch's rows free as much as each other: the one with the fewest ids has the least to read again."""
    rows = [Held(1, 60, 900), Held(2, 60, 100), Held(3, 60, 400)]

    assert too_many(960, LIMIT, rows) == [2, 3]
    assert too_many(905 + 50, LIMIT, [*rows, Held(4, 200, 0)]) == [4]


def test_what_frees_more_for_the_same_work_leaves_first() -> None:
    """One large state instead of two small ones."""
    assert too_many(950, LIMIT, [Held(1, 10, 50), Held(2, 200, 50), Held(3, 10, 50)]) == [2]


def test_of_equals_the_newest_leaves() -> None:
    """Who came first is done first."""
    assert too_many(950, LIMIT, [Held(1, 100, 50), Held(2, 100, 50), Held(3, 100, 50)]) == [3]


def test_the_last_one_stays_however_much_is_used() -> None:
    """Whatever fills the memory, somebody gets on."""
    assert too_many(5_000, LIMIT, [Held(1, 10, 50), Held(2, 10, 60)]) == [1]


@pytest.mark.parametrize(("used", "leaves"), [(999, False), (1_000, True), (1_049, True), (1_050, False)])
def test_one_alone_leaves_only_if_it_is_what_is_too_much(used: int, leaves: bool) -> None:
    """Beyond the limit, and below the hard mark without it: else its going would help nobody."""
    assert too_many(used, LIMIT, [Held(7, 100, 50)]) == ([7] if leaves else [])


@given(used=st.integers(0, 3_000), rows=ROWS)
def test_as_many_leave_as_it_takes_and_never_all(used: int, rows: list[Held]) -> None:
    """Enough for the soft mark where that can be had with one left, and none more than needed."""
    leaving = too_many(used, LIMIT, rows)

    freed = {row.key: row.kv_bytes for row in rows if row.key in leaving}
    assert len(set(leaving)) == len(leaving) == len(freed)
    if len(rows) > 1:
        assert len(leaving) < len(rows)
        assert used < FULL or len(leaving) == len(rows) - 1 or used - sum(freed.values()) <= LIMIT * SOFT
        assert not leaving or used - sum(freed.values()) + freed[leaving[-1]] > LIMIT * SOFT
    assert used >= FULL or not leaving
