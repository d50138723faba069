from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mlx_pool.up.restart import HEALTHY_MS, LONGEST_DELAY_MS, Exit, GiveUp, Restart, after_exit, in_words


def test_a_part_that_refuses_its_flags_is_not_started_again() -> None:
    """Exit code 2 says that the flags can't work: trying again would say the same."""
    assert after_exit(Exit(2, lived_ms=100), deaths=0) == GiveUp()


def test_a_first_death_is_answered_within_half_a_second() -> None:
    """One crash costs its users little."""
    assert after_exit(Exit(-9, lived_ms=100), deaths=0) == Restart(after_ms=500, deaths=1)


def test_a_worker_that_somebody_drained_comes_back() -> None:
    """Also an orderly end is not what `up` was asked for."""
    assert isinstance(after_exit(Exit(0, lived_ms=100), deaths=0), Restart)


def test_deaths_in_a_row_are_answered_ever_later() -> None:
    """A part that can't start does not keep the machine busy with trying."""
    delays = [
        verdict.after_ms for n in range(10) if isinstance(verdict := after_exit(Exit(1, lived_ms=50), n), Restart)
    ]

    assert all(earlier <= later for earlier, later in pairwise(delays))
    assert delays[-1] == LONGEST_DELAY_MS


def test_a_healthy_life_forgives_earlier_deaths() -> None:
    """Who ran for a minute is started again as if for the first time."""
    assert after_exit(Exit(1, lived_ms=HEALTHY_MS), deaths=9) == Restart(after_ms=500, deaths=1)


@given(st.integers(-64, 255).filter(lambda code: code != 2), st.integers(0, 10**9), st.integers(0, 10**6))
def test_every_other_end_is_followed_by_a_start_within_the_limit(code: int, lived_ms: int, deaths: int) -> None:
    """However a part ended and however often, it is started again, at the latest after half a minute."""
    verdict = after_exit(Exit(code, lived_ms), deaths)

    assert isinstance(verdict, Restart)
    assert 0 < verdict.after_ms <= LONGEST_DELAY_MS


def test_an_end_is_told_in_words() -> None:
    """A person reads whether a part was killed or ended by itself."""
    assert in_words(Exit(-9, 0)) == "was killed by signal 9"
    assert in_words(Exit(1, 0)) == "ended with exit code 1"
