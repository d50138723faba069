"""How soon first tokens came of late."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics.figures import FIRST_TOKEN_S, Kind, Ledger
from gateway.page.first_tokens import WINDOW_MS, FirstTokens, quantile_ms

COUNTS = st.lists(st.integers(0, 1_000), min_size=len(FIRST_TOKEN_S) + 1, max_size=len(FIRST_TOKEN_S) + 1)


def test_only_what_came_of_late_counts() -> None:
    """A slow hour ago says nothing of now."""
    ledger = Ledger()
    waits = FirstTokens(ledger)
    figures = ledger.of(Kind("tiny", "chat"))

    assert waits.look(0) == (None, None)
    figures.first_token_s.add(9.0)
    slow = waits.look(1_000).median_ms
    for second in range(2, 40):
        waits.look(second * 1_000)
    figures.first_token_s.add(0.05)
    quick = waits.look(40_000).median_ms

    assert slow is not None
    assert 7_500 <= slow <= 10_000
    assert quick is not None
    assert 40 <= quick <= 60
    assert waits.look(40_000 + WINDOW_MS) == (None, None)


@given(COUNTS)
def test_a_quantile_is_among_the_bounds_and_grows(counts: list[int]) -> None:
    """Never NaN, never beyond the last bound; of nothing it is nothing."""
    half, most = quantile_ms(counts, 0.5), quantile_ms(counts, 0.95)

    if not sum(counts):
        assert half is most is None
    else:
        assert half is not None
        assert most is not None
        assert 0 <= half <= most <= FIRST_TOKEN_S[-1] * 1_000
        assert math.isfinite(most)
