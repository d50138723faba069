"""What is taken in advance, what is told of it, and when a job counts no more: decided on values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.charge import (
    LATEST_MS,
    SOONEST_MS,
    SUBMITTED_WITHIN_MS,
    affordable,
    cost_of,
    counts_no_more,
    duration,
    next_place_ms,
    told,
)
from shared.allowance import Charged, Left
from shared.job import Job
from shared.key_file import KeyLimits
from shared.queue import Peek, State


@pytest.mark.parametrize(
    ("job", "is_followed", "cost"),
    [
        (Job(prompt="x", max_tokens=100), True, 200),
        (Job(prompt="x", max_tokens=50_000), True, 100 + 1_024),
        (Job(prompt="x", max_tokens=50_000), False, 100 + 50_000),
        (Job(tokens=[1, 2, 3], max_tokens=7), True, 10),
        (Job(prompt="x", kind="count"), True, 100),
    ],
)
def test_a_job_costs_its_prompt_and_what_it_may_answer(job: Job, is_followed: bool, cost: int) -> None:
    """Of an answer whose end will be seen, no more than most are long; of another, all that it may become."""
    assert cost_of(job, 400, is_followed=is_followed) == cost


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 10**7), min_size=1, max_size=8), st.integers(1, 10**6))
def test_no_request_takes_more_than_a_minutes_worth(costs: dict[str, int], most: int) -> None:
    """Else it could never pass; below that it takes what it costs."""
    taken = affordable(costs, most)

    assert sum(taken.values()) <= most
    assert taken.keys() == costs.keys()
    if sum(costs.values()) <= most:
        assert taken == costs
    assert affordable(costs, None) == costs


@pytest.mark.parametrize(("state", "counts"), [("waiting", True), ("running", True), ("ended", False)])
def test_a_job_counts_until_its_record_says_that_it_has_ended(state: State, counts: bool) -> None:
    """However long ago it was charged: the record is the truth."""
    peek = Peek(state, seq=1, attempt=1, tenant="a", enqueued_at_ms=0)

    assert [counts_no_more(peek, age_ms) for age_ms in (0, 10**9)] == [not counts] * 2


def test_a_job_without_a_record_counts_while_it_may_still_get_one() -> None:
    """Between charge and submit lies a moment; a gateway that died in it leaves nothing behind for longer."""
    assert not counts_no_more(None, SUBMITTED_WITHIN_MS)
    assert counts_no_more(None, SUBMITTED_WITHIN_MS + 1)


@pytest.mark.parametrize(
    ("ages_ms", "wanted", "expected_ms"),
    [
        ([10_000], 1, 10_000),
        ([0, 4_000, 8_000], 1, 2_000),
        ([0, 4_000, 8_000], 2, 4_000),
        ([50, 100], 1, SOONEST_MS),
        ([3_600_000], 1, LATEST_MS),
        ([], 1, SOONEST_MS),
    ],
)
def test_a_place_is_expected_by_the_age_of_the_jobs_that_hold_one(
    ages_ms: list[int], wanted: int, expected_ms: int
) -> None:
    """Three jobs that are served in turns and last 8 s free a place every two."""
    assert next_place_ms(ages_ms, wanted) == expected_ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0ms"),
        (250, "250ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (59_999, "59.999s"),
        (60_000, "1m0s"),
        (361_000, "6m1s"),
    ],
)
def test_a_time_is_written_as_openais_clients_read_it(ms: int, text: str) -> None:
    """Go's way of writing durations."""
    assert duration(ms) == text


def test_only_limits_that_there_are_are_told() -> None:
    """A key without a limit on tokens has no headers about tokens."""
    charged = Charged(None, 0, requests=Left(4, 12_000), tokens=Left(0, 0))

    assert told(KeyLimits(requests_per_minute=5), charged) == [
        (b"x-ratelimit-limit-requests", b"5"),
        (b"x-ratelimit-remaining-requests", b"4"),
        (b"x-ratelimit-reset-requests", b"12s"),
    ]
    assert told(KeyLimits(concurrent_jobs=3), charged) == []
