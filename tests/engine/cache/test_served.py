"""Which of a prompt's prefixes a state serves, by what it has read: sure ones only."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.cache.served import served

# By bytes; the prompt has twice as many ids.
CHAT = [("system", 250), ("first", 300), ("tip", 500)]
PROMPT = 1_000


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (1_200, ["tip", "first", "system"]),  # and some of the answer
        (999, ["tip", "first", "system"]),  # the last id is fed by the batch
        (968, ["tip", "first", "system"]),
        (967, ["first", "system"]),
        (750, ["first", "system"]),
        (749, ["system"]),  # if the first question is a little longer than it is taken for
        (500, []),
    ],
)
def test_a_state_that_can_be_trimmed_serves_what_it_has_surely_read(read: int, expected: list[str]) -> None:
    """Where an inner prefix ends is estimated, so one that ends only just there is left out."""
    assert served(CHAT, prompt=PROMPT, read=read, can_trim=True) == expected


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (1_200, ["tip"]),  # the next turn goes on from here
        (990, ["tip"]),  # the boundary behind the last message
        (610, ["first"]),
        (510, ["system"]),  # the boundary before the first question, with what opens it
        (300, []),
    ],
)
def test_a_state_of_fixed_length_serves_the_prefix_that_ends_there(read: int, expected: list[str]) -> None:
    """Shorter ones it has outrun, and of longer ones it has read too little."""
    assert served(CHAT, prompt=PROMPT, read=read, can_trim=False) == expected


@pytest.mark.parametrize("can_trim", [True, False])
def test_a_prompt_without_names_has_none(can_trim: bool) -> None:
    """Neither has one whose estimate is nothing at all, but for the whole."""
    assert served([], prompt=PROMPT, read=PROMPT, can_trim=can_trim) == []
    assert served([("tip", 0)], prompt=PROMPT, read=PROMPT, can_trim=can_trim) == ["tip"]
    assert served([("tip", 0)], prompt=PROMPT, read=100, can_trim=can_trim) == []


SIZES = st.lists(st.integers(0, 10**40), min_size=1, max_size=16)


@given(SIZES, st.integers(1, 10**6), st.booleans())
def test_reading_on_never_serves_less(sizes: list[int], prompt: int, can_trim: bool) -> None:
    """Whatever the estimates are: more is served the more was read, and in the end all of it or the last."""
    prefixes = [(str(place), size) for place, size in enumerate(sizes)]

    at = [set(served(prefixes, prompt=prompt, read=prompt * part // 8, can_trim=can_trim)) for part in range(9)]

    if can_trim:
        assert all(less <= more for less, more in pairwise(at))
        assert at[-1] == {name for name, _ in prefixes}
    else:
        assert all(len(names) <= 1 for names in at)
        assert at[-1] == {prefixes[-1][0]}
