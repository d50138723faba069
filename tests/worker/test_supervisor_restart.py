"""How soon an engine is started again: quickly once, ever slower while it keeps dying."""

from hypothesis import given
from hypothesis import strategies as st

from worker.death import FIRST_DELAY_MS, MAX_DELAY_MS, STABLE_MS, restart_delay_ms


def test_the_first_restart_is_quick() -> None:
    """One death costs a tenth of a second, counted from the death."""
    assert restart_delay_ms([5_000], 5_000) == FIRST_DELAY_MS
    assert restart_delay_ms([5_000], 5_060) == FIRST_DELAY_MS - 60
    assert restart_delay_ms([], 5_000) == 0


def test_each_further_death_doubles_the_wait_up_to_a_limit() -> None:
    """An engine that dies at every start is tried less and less often, and never less than each 30 s."""
    deaths = [1_000 * n for n in range(12)]

    delays = [restart_delay_ms(deaths[: n + 1], deaths[n]) for n in range(12)]

    assert delays == [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000]


def test_a_stable_run_is_a_fresh_start() -> None:
    """Deaths before a minute of life don't count."""
    deaths = [0, 1_000, 2_000, 2_000 + STABLE_MS]

    assert restart_delay_ms(deaths, deaths[-1]) == FIRST_DELAY_MS


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40).map(sorted), st.integers(0, 10**6))
def test_the_wait_is_never_negative_nor_beyond_the_limit(deaths: list[int], later_ms: int) -> None:
    """Whatever happened, the wait lies between nothing and 30 s, and passes with the time."""
    delay = restart_delay_ms(deaths, deaths[-1])

    assert FIRST_DELAY_MS <= delay <= MAX_DELAY_MS
    assert restart_delay_ms(deaths, deaths[-1] + later_ms) == max(0, delay - later_ms)
