"""When a worker takes jobs: what it holds, what it sees, and what it then wants. Pure."""

import math

import pytest
from msgspec.structs import replace

from shared.window import Waiting, Window
from worker.admission import Load, Wish, has_room, wish
from worker.placement import Me

IDLE = Load(slots=8, held=0, prefill_tokens=0, prefill_tokens_per_second=1_000)
NOW = 1_000.0


def _waiting(*names: str, tokens: int = 10, cls: str = "std") -> list[Waiting]:
    return [Waiting(f"{cls}:{name}", cls, NOW - 60, tokens) for name in names]


def _window(*names: str, tokens: int = 10, another_is_free: bool = True) -> Window:
    return Window(_waiting(*names, tokens=tokens), NOW, another_is_free)


def _wish(window: Window, load: Load) -> Wish:
    me = Me("me", load.slots - load.held, load.is_prefilling, load.prefill_tokens_per_second, load.cached)
    return wish(window, load, me)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (IDLE, True),
        (replace(IDLE, held=7), True),
        (replace(IDLE, held=8), False),
        (replace(IDLE, held=1, holds_suspect=True), False),
        (replace(IDLE, held=1, is_short_of_memory=True), False),
        (replace(IDLE, is_short_of_memory=True), True),
    ],
)
def test_who_has_room_looks(load: Load, *, expected: bool) -> None:
    """A suspect runs alone, and an engine short of memory gets one job at a time: it is always tried."""
    assert has_room(load) == expected


def test_a_burst_of_short_prompts_is_taken_together() -> None:
    """They are read as one batch, which ends sooner than one that trickles in."""
    assert len(_wish(_window(*"abcdef"), IDLE).entries) == 6


def test_a_long_prompt_leaves_the_others_to_who_is_free() -> None:
    """What would wait here behind a second of reading begins at once elsewhere."""
    assert len(_wish(_window("a", "b", tokens=1_000), IDLE).entries) == 1


def test_where_nobody_else_is_free_all_seats_fill() -> None:
    """To leave a job to nobody would only make it wait."""
    assert len(_wish(_window("a", "b", tokens=1_000, another_is_free=False), IDLE).entries) == 2


def test_who_reads_a_long_prompt_yields_while_another_is_free() -> None:
    """It looks again soon: what the others told of their seats may be old."""
    reading = replace(IDLE, held=1, prefill_tokens=1_000)

    assert _wish(_window("a"), reading) == Wish(yields=True)
    assert _wish(_window("a", another_is_free=False), reading).entries == ["std:a"]


def test_bulk_work_that_is_read_keeps_nobody_away_but_bulk_work() -> None:
    """Its prompts step aside in the engine, so only what would have to wait behind them is left to others."""
    reading = replace(IDLE, held=1, aside_prefill_tokens=10_000)
    window = Window([*_waiting("a", cls="lo"), *_waiting("b")], NOW, another_is_free=True)

    assert _wish(window, reading).entries == ["std:b"]
    assert _wish(replace(window, another_is_free=False), reading).entries == ["std:b", "lo:a"]


def test_who_is_short_of_memory_takes_one_job_and_only_if_nobody_else_would() -> None:
    """It may fit after all; where another has memory, it goes there."""
    short = replace(IDLE, is_short_of_memory=True)

    assert _wish(_window("a", "b"), short) == Wish(yields=True)
    assert len(_wish(_window("a", "b", another_is_free=False), short).entries) == 1


def test_a_suspect_is_taken_by_who_is_empty_when_nothing_else_waits() -> None:
    """It may end the engine: it must not take neighbours along."""
    window = replace(_window(), suspect="sus:1-0")

    assert _wish(window, IDLE).entries == ["sus:1-0"]
    assert _wish(window, replace(IDLE, held=1)).entries == []
    assert _wish(replace(window, waiting=_waiting("a")), IDLE).entries == ["std:a"]


def test_who_has_to_make_room_for_a_suspect_takes_nothing_else() -> None:
    """Or on a busy pool it would wait for ever."""
    window = replace(_window("a"), suspect="sus:1-0", is_suspect_due=True)

    assert _wish(window, replace(IDLE, held=1)) == Wish()
    assert _wish(window, IDLE).entries == ["sus:1-0"]


def test_the_last_quarter_of_the_seats_is_not_for_bulk_work() -> None:
    """A chat that comes while thousands of bulk jobs wait finds a seat at once."""
    waiting = [*_waiting(*"abcdefgh", cls="lo"), *_waiting("x")]

    taken = _wish(Window(waiting, NOW, another_is_free=False), IDLE).entries
    full = _wish(Window(_waiting("a", cls="lo"), NOW, another_is_free=False), replace(IDLE, held=6))

    assert (len(taken), "std:x" in taken) == (6, True)
    assert full.entries == []


def test_a_single_seat_serves_bulk_work_too() -> None:
    """A quarter of one seat is none."""
    alone = Load(slots=1, held=0, prefill_tokens=0, prefill_tokens_per_second=1_000)

    assert _wish(Window(_waiting("a", cls="lo"), NOW, another_is_free=False), alone).entries == ["lo:a"]


def test_a_job_left_to_its_home_says_when_to_look_again() -> None:
    """Not before, unless the bell rings."""
    job = Waiting("std:a", "std", NOW, 2_000, home="other", home_tokens=1_000)

    wanted = _wish(Window([job], NOW, another_is_free=True), IDLE)

    assert wanted.entries == []
    assert NOW < wanted.again_at_s < math.inf


def test_without_a_rival_nothing_is_held_for_who_might_be_faster() -> None:
    """A pool of one worker, or one whose others are all busy, begins every job at once."""
    window = Window([Waiting("std:a", "std", NOW, 2_000)], NOW, another_is_free=False)

    assert _wish(window, IDLE).entries == ["std:a"]


@pytest.mark.parametrize(("others", "is_taken"), [(0, False), (900, True), (1_500, True), (1_600, False)])
def test_nothing_is_held_for_others_that_are_no_quicker(others: float, *, is_taken: bool) -> None:
    """Of equal machines none is worth a tenth of a long prompt's time; of whom nothing is known yet may be."""
    window = Window([Waiting("std:a", "std", NOW, 2_000)], NOW, another_is_free=True, others_read_per_s=others)

    wanted = _wish(window, replace(IDLE, prefill_tokens_per_second=1_000))

    assert wanted.entries == (["std:a"] if is_taken else [])


def test_the_next_ones_of_a_class_may_stand_in_for_those_that_are_gone() -> None:
    """Of many workers that see the same, one gets what all want; the others need no second look."""
    window = Window([*_waiting(*"abcdefgh"), *_waiting("x", cls="lo")], NOW, another_is_free=False)

    wanted = _wish(window, replace(IDLE, held=7))

    assert (wanted.entries, wanted.spare) == (["std:a"], ["std:b", "std:c", "std:d", "std:e"])


def test_what_is_held_for_its_home_stands_in_for_nothing() -> None:
    """A stand-in is a job that could be taken in its own right."""
    held = Waiting("std:b", "std", NOW, 2_000, home="other", home_tokens=1_000)
    window = Window([*_waiting("a"), held], NOW, another_is_free=True)

    assert _wish(window, IDLE).spare == []
