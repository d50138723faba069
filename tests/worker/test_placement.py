"""Which job a worker takes: what always holds, whatever waits; then the rule itself, by examples."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.outline import Prefix
from shared.window import Waiting
from worker.placement import MOST_HOLD_S, Look, Me, Take, choose

HASHES = "abcdefgh"
NOW = 1_000.0
IDLE = Me(id="me", free_slots=4, prefilling=False, tokens_per_s=1_000.0, cached=frozenset())


def job(entry: str = "1-0", *, age: float = 0.0, tokens: float = 4_000, home: str = "", cls: str = "std") -> Waiting:
    """One without a home, or with a home that has read all of it."""
    return Waiting(f"{cls}:{entry}", cls, NOW - age, tokens, home=home, home_tokens=int(tokens) if home else 0)


@some.composite
def jobs(draw: some.DrawFn) -> Waiting:
    """Anything that may stand in a window, what hostile producers write as well."""
    sizes = draw(some.lists(some.integers(0, 5_000), max_size=4))
    prefixes = tuple(Prefix(HASHES[draw(some.integers(0, 7))], sum(sizes[: n + 1])) for n in range(len(sizes)))
    return Waiting(
        entry=f"{draw(some.sampled_from(['std', 'hi']))}:{draw(some.integers(0, 99))}-{draw(some.integers(0, 99))}",
        cls=draw(some.sampled_from(["re", "hi", "std", "lo", "sus", ""])),
        arrived=NOW - draw(some.floats(-100, 100)),
        tokens=draw(some.floats() | some.integers(0, 20_000)),
        prefixes=prefixes,
        home=draw(some.sampled_from(["", "me", "another"])),
        home_tokens=draw(some.integers(-10, 20_000)),
    )


windows = some.lists(jobs(), max_size=8, unique_by=lambda each: each.entry)
workers = some.builds(
    Me,
    id=some.just("me"),
    free_slots=some.just(2),
    prefilling=some.just(False),
    tokens_per_s=some.floats() | some.floats(10, 5_000),
    cached=some.frozensets(some.sampled_from(HASHES)),
    turn=some.integers(0, 50),
)


def ready_at(waiting: Waiting, me: Me) -> float:
    """When a worker that nothing else concerns takes a job."""
    got = choose([waiting], me, waiting.arrived)
    return waiting.arrived if isinstance(got, Take) else got.again_at


# --- what always holds -----------------------------------------------------------------------------------------------


@given(windows, workers, some.randoms())
def test_what_is_chosen_depends_on_what_waits_and_not_on_its_order(
    window: list[Waiting], me: Me, chance: random.Random
) -> None:
    """Redis tells a window in any order; the same jobs give the same answer, and it is one of them or a time."""
    shuffled = chance.sample(window, len(window))

    got = choose(window, me, NOW)

    assert choose(shuffled, me, NOW) == got
    assert isinstance(got, Look) or got.entry in {each.entry for each in window}


@given(windows, workers, some.floats(0, 1))
def test_the_time_of_the_next_look_is_honest(window: list[Waiting], me: Me, part: float) -> None:
    """Until then there is nothing to take, as long as nothing changes; then there is."""
    got = choose(window, me, NOW)

    if isinstance(got, Look) and got.again_at < math.inf:
        before = min(NOW + part * (got.again_at - NOW), math.nextafter(got.again_at, 0))
        assert choose(window, me, before) == got
        assert isinstance(choose(window, me, got.again_at), Take)
    elif isinstance(got, Look):
        assert window == []


@given(jobs(), workers)
def test_nobody_waits_longer_than_fifteen_seconds_for_a_home(waiting: Waiting, me: Me) -> None:
    """A worker that is free takes the only job there is by then, whatever its home might save."""
    assert isinstance(choose([waiting], me, waiting.arrived + MOST_HOLD_S), Take)
    assert ready_at(waiting, me) <= waiting.arrived + MOST_HOLD_S


@given(jobs(), workers, some.frozensets(some.sampled_from(HASHES)))
def test_a_warmer_cache_never_waits_longer(waiting: Waiting, me: Me, more: frozenset[str]) -> None:
    """Who has read more of a prompt may take it at least as soon."""
    warmer = me._replace(cached=me.cached | more)

    assert ready_at(waiting, warmer) <= ready_at(waiting, me)


@given(windows, workers)
def test_what_was_given_back_comes_first(window: list[Waiting], me: Me) -> None:
    """It has waited before: it is never held, and nothing is taken before it."""
    given_back = {each.entry for each in window if each.cls == "re"}

    got = choose(window, me, NOW)

    assert not given_back or (isinstance(got, Take) and got.entry in given_back)


@given(windows, workers)
def test_a_worker_that_could_not_begin_takes_nothing(window: list[Waiting], me: Me) -> None:
    """Without a free slot, or behind a prompt that is being read, a job would only wait where nobody else sees it."""
    never = Look(math.inf)

    assert choose(window, me._replace(free_slots=0), NOW) == never
    assert choose(window, me._replace(prefilling=True), NOW) == never


# --- the rule --------------------------------------------------------------------------------------------------------


def test_a_job_is_left_to_its_home_for_what_that_saves() -> None:
    """4,000 tokens that another has read, and I would in four seconds: mine after four seconds."""
    assert choose([job(home="another")], IDLE, NOW) == Look(NOW + 4)


def test_what_i_have_read_as_well_is_not_left_to_its_home() -> None:
    """Only what its home would save me is worth waiting for: here a tenth of the second that I need for the rest."""
    waiting = job(home="another")._replace(home_tokens=3_000, prefixes=[Prefix("a", 3_000)])

    assert choose([waiting], IDLE._replace(cached={"a"}), NOW) == Look(NOW + 0.1)


@pytest.mark.parametrize("home", ["", "me"])
def test_a_job_without_another_living_home_waits_a_tenth_of_its_reading(home: str) -> None:
    """A home that died costs nothing; whoever reads a prompt fastest, or knows most of it, has the first chance."""
    assert choose([job(home=home)], IDLE, NOW) == Look(NOW + 0.4)
    assert choose([job(home=home, age=0.5)], IDLE, NOW) == Take("std:1-0")


def test_what_is_at_home_here_comes_first() -> None:
    """However long others have waited: nobody else reads it as fast."""
    mine, other = job("2-0", age=1, tokens=9_000, home="me"), job("1-0", age=60, tokens=100)

    assert choose([other, mine], IDLE, NOW) == Take(mine.entry)


def test_then_what_has_waited_longest_for_what_it_costs() -> None:
    """Ten seconds for one second's reading go before thirty for eight; some time later it is the other way round."""
    short, long = job("2-0", age=10, tokens=1_000), job("1-0", age=30, tokens=8_000)
    shorter = job("3-0", age=0.1, tokens=1_000)

    assert choose([long, short], IDLE, NOW) == Take(short.entry)
    assert choose([long, shorter], IDLE, NOW + 30) == Take(shorter.entry)
    assert choose([long._replace(arrived=NOW - 200), shorter], IDLE, NOW) == Take(long.entry)


def test_of_those_that_cost_about_the_same_the_older_is_taken() -> None:
    """A few tokens more are no reason to let all pass that came just behind."""
    window = [job("1-0", age=2.001, tokens=30), *(job(f"{at}-0", age=2.0, tokens=8) for at in range(2, 14))]

    assert choose(window, IDLE, NOW) == Take("std:1-0")


def test_of_equals_the_older_is_taken() -> None:
    """Ids of one moment are numbers: the ninth came before the tenth."""
    window = [job("5-10", age=1), job("5-9", age=1)]

    assert choose(window, IDLE, NOW) == Take("std:5-9")


def test_classes_take_turns_eight_to_three_to_one() -> None:
    """Twelve jobs taken while all wait: no class starves, and bulk work gets one in twelve."""
    window = [job(cls=name, age=20) for name in ("lo", "std", "hi")]

    taken = Counter(_class_taken(window, turn) for turn in range(12))

    assert taken == {"hi": 8, "std": 3, "lo": 1}


@pytest.mark.parametrize("turn", range(12))
def test_a_turn_that_nobody_can_use_goes_to_the_next_class(turn: int) -> None:
    """Where nobody of its class waits, or all are held: `hi`, then `std`, then `lo`, then any other."""
    held = [job("3-0", cls=name, home="another") for name in ("hi", "std", "lo")]

    assert _class_taken([job(cls="lo", age=20), job(cls="std", age=20)], turn) == ("lo" if turn == 11 else "std")
    assert _class_taken([*held, job(cls="lo", age=20), job(cls="gold", age=20)], turn) == "lo"
    assert _class_taken([*held, job(cls="gold", age=20)], turn) == "gold"


def test_a_clock_that_was_set_back_holds_nothing() -> None:
    """A job of a time to come would be held for as long as the clock was set back."""
    assert choose([job(age=-3_600, home="another")], IDLE, NOW) == Take("std:1-0")


def test_a_job_of_untold_size_is_not_the_cheapest() -> None:
    """A direct producer may tell nothing: such jobs must not pass all others."""
    untold, short, long = job("1-0", age=10, tokens=0), job("2-0", age=10, tokens=200), job("3-0", age=10)

    assert choose([untold, short], IDLE, NOW) == Take(short.entry)
    assert choose([untold, long], IDLE, NOW) == Take(untold.entry)


def _class_taken(window: Sequence[Waiting], turn: int) -> str:
    got = choose(window, IDLE._replace(turn=turn), NOW)
    assert isinstance(got, Take)
    return got.entry.partition(":")[0]
