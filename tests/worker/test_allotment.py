"""What each engine may have: its own need and a share, so that whatever is loaded together stays within the machine."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from worker.allotment import allot, need_of, too_large

NEEDS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1)


def test_what_fits_together_shares_the_rest_evenly() -> None:
    """Two of three fit, whichever they are; what is left beside the two largest is theirs."""
    assert allot({"a": 20, "b": 20, "c": 10}, (), 48) == {"a": 24, "b": 24, "c": 14}


def test_a_model_that_is_always_alone_has_the_machine() -> None:
    """Where no two of the largest fit, the largest gets all there is."""
    assert allot({"a": 40, "b": 30}, (), 48) == {"a": 48, "b": 38}


def test_a_pinned_model_is_counted_first() -> None:
    """It is loaded beside whatever comes."""
    assert allot({"p": 10, "a": 20, "b": 20}, ("p",), 40) == {"p": 15, "a": 25, "b": 25}
    assert too_large({"p": 10, "a": 31}, ("p",), 40) == ["a"]
    assert too_large({"p": 50, "a": 1}, ("p",), 40) == ["p", "a"]


def test_an_engine_is_not_short_of_memory_when_its_model_is_loaded() -> None:
    """Its need leaves the share free above which it would take no second job."""
    assert need_of(8_000_000_000) * 0.8 > 8_000_000_000


@given(needs=NEEDS, budget=st.integers(1, 200), pinned=st.integers(0, 2))
def test_limits_hold_what_was_promised(needs: dict[str, int], budget: int, pinned: int) -> None:
    """Each has what it needs; as many as fit by need, whichever they are, fit by limit as well."""
    stays = sorted(needs)[:pinned]
    if too_large(needs, stays, budget):
        return

    limits = allot(needs, stays, budget)

    assert all(limits[name] >= needs[name] for name in needs)
    on_demand = [name for name in needs if name not in stays]
    kept, kept_limits = sum(needs[name] for name in stays), sum(limits[name] for name in stays)
    for count in range(1, len(on_demand) + 1):
        every = list(combinations(on_demand, count))
        if all(kept + sum(needs[name] for name in some) <= budget for some in every):
            assert all(kept_limits + sum(limits[name] for name in some) <= budget for some in every)
