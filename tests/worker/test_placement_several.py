"""Several jobs at one look: a burst of short prompts begins together, a long prompt alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.window import Waiting
from worker.placement import Limits, Look, Me, Take, choose, choose_several, first_come

NOW = 1_000.0
ME = Me(id="me", free_slots=4, prefilling=False, tokens_per_s=1_000.0, cached=frozenset())


def aged(number: int, tokens: float, age: float = 30) -> Waiting:
    return Waiting(f"std:{number}-0", "std", NOW - age, tokens)


windows = some.lists(
    some.builds(aged, some.integers(0, 99), some.floats(1, 2_000), some.floats(0, 3) | some.just(30.0)),
    max_size=8,
    unique_by=lambda each: each.entry,
)


def test_short_prompts_are_taken_together() -> None:
    """Their reading is over in a moment: none of them would begin sooner elsewhere."""
    window = [aged(number, tokens=50) for number in range(3)]

    assert choose_several(window, ME, NOW, Limits(9)).entries == ("std:0-0", "std:1-0", "std:2-0")


def test_behind_a_long_prompt_nothing_is_taken() -> None:
    """A quarter second of reading is spent: the rest stays for whoever is free first, until something changes."""
    window = [aged(1, tokens=200), aged(2, tokens=400), aged(3, tokens=600)]

    assert choose_several(window, ME, NOW, Limits(9)) == (("std:1-0", "std:2-0"), Look(math.inf))
    assert choose_several(window, ME, NOW, Limits(9, prefill_s=0.1)) == (("std:1-0",), Look(math.inf))
    assert choose_several(window, ME, NOW, Limits(9, prefill_s=0)) == ((), Look(math.inf))


@pytest.mark.parametrize("prefilling", [False, True])
def test_where_nobody_else_is_free_all_slots_are_filled(prefilling: bool) -> None:
    """Waiting here costs nobody anything, and what is read together decodes together."""
    window = [aged(number, tokens=5_000) for number in range(9)]

    takes = choose_several(window, ME._replace(prefilling=prefilling), NOW, Limits(9, no_other_is_free=True))

    assert takes == (("std:0-0", "std:1-0", "std:2-0", "std:3-0"), Look(math.inf))


def test_what_is_left_by_a_limit_is_looked_at_at_once() -> None:
    """The caller wanted no more at a time; nothing has to change before it may go on."""
    window = [aged(number, tokens=10) for number in range(3)]

    assert choose_several(window, ME, NOW, Limits(2)) == (("std:0-0", "std:1-0"), Look(NOW))


@given(windows, some.integers(0, 5))
def test_it_is_choose_again_and_again(window: list[Waiting], most: int) -> None:
    """Each is what would be chosen if those before were gone and this worker held them; so is the next look."""
    takes = choose_several(window, ME, NOW, Limits(most))

    left, me = window, ME
    for entry in takes.entries:
        assert choose(left, me, NOW) == Take(entry)
        left = [each for each in left if each.entry != entry]
        me = me._replace(free_slots=me.free_slots - 1, turn=me.turn + 1)
    is_full = len(takes.entries) == most and isinstance(choose(left, me, NOW), Take)
    assert len(takes.entries) <= min(most, ME.free_slots)
    assert takes.look in {Look(NOW) if is_full else choose(left, me, NOW), Look(math.inf)}


def test_bulk_work_leaves_slots_free() -> None:
    """However much of it waits; other classes may have all."""
    window = [aged(number, tokens=10)._replace(entry=f"lo:{number}-0", cls="lo") for number in range(9)]

    assert len(choose_several(window, ME, NOW, Limits(9, aside_leaves=1)).entries) == 3
    assert len(choose_several(window, ME._replace(free_slots=1), NOW, Limits(9, aside_leaves=1)).entries) == 0


def test_beyond_its_share_a_tenant_comes_last_of_its_class() -> None:
    """However old, cheap, and at home; and it leaves the slots free that bulk work does."""
    beyond = [aged(number, tokens=10)._replace(is_beyond_share=True, home="me") for number in range(9)]
    window = [*beyond, aged(10, tokens=200, age=1), aged(11, tokens=10)._replace(entry="lo:11-0", cls="lo")]

    taken = choose_several(window, ME, NOW, Limits(9, aside_leaves=1)).entries

    assert taken == ("std:10-0", "std:0-0", "std:1-0")


def test_without_a_rival_nothing_is_held_for_who_is_faster() -> None:
    """All jobs wait for a share of what reading them takes, so that who is faster comes first: if there is anybody."""
    window = [aged(1, tokens=200, age=0)]

    assert choose_several(window, ME, NOW, Limits(9)).entries == ()
    assert choose_several(window, ME, NOW, Limits(9, no_other_is_free=True)).entries == ("std:1-0",)


def test_first_come_first_served_knows_no_homes() -> None:
    """What is compared with, and what an operator may want: only class and time count."""
    window = [aged(1, 500, age=1), aged(2, 500, age=9), aged(3, 5, age=5)._replace(home="other", home_tokens=400)]

    assert first_come(window, ME, NOW, Limits(9)).entries == ("std:2-0",)
    assert first_come(window, ME, NOW, Limits(9, no_other_is_free=True)).entries == ("std:2-0", "std:3-0", "std:1-0")
