"""Which models are loaded and which make room: least recently used first, never in vain, and nobody starves."""

import math

from hypothesis import given
from hypothesis import strategies as st

from worker.arrangement import IDLE_S, RELIEF_IDLE_S, UNLOAD_S, Arrangement, Resident, Rules, Want, arrange, room_in_s

NOW = 1_000.0
RULES = Rules(budget=10, turn_s=10.0)


def here(queue: str, size: int, *, used_s: float = 100.0, ready_s: float | None = 100.0, **more: bool) -> Resident:
    """A model that was used and became ready so many seconds ago."""
    return Resident(queue, size, NOW - used_s, None if ready_s is None else NOW - ready_s, **more)


def want(queue: str, size: int, *, since_s: float = 0.0, is_relief: bool = False) -> Want:
    return Want(queue, size, NOW - since_s, is_relief=is_relief)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Resident], list[Want], Rules]:
    """A machine whose models fit, and what else is wanted there: each could be loaded beside those that stay."""
    rules = Rules(draw(st.integers(1, 40)), turn_s=10.0, keep_s=draw(st.sampled_from([0.0, 60.0])))
    residents: list[Resident] = []
    for queue in draw(st.lists(st.sampled_from("abcdef"), unique=True)):
        size = draw(st.integers(1, 20))
        if sum(one.size for one in residents) + size <= rules.budget:
            is_pinned = draw(st.booleans())
            ready_s = draw(st.one_of(st.none(), st.floats(0, 200)))
            flags = {name: draw(st.booleans()) for name in ("is_busy", "is_yielding")}
            is_leaving = not is_pinned and draw(st.booleans())
            used_s = draw(st.floats(0, 200))
            residents.append(
                here(queue, size, used_s=used_s, ready_s=ready_s, is_pinned=is_pinned, is_leaving=is_leaving, **flags)
            )
    pinned = sum(one.size for one in residents if one.is_pinned)
    names = draw(st.lists(st.sampled_from("uvwxyz"), unique=True))
    wants = [
        want(
            name,
            draw(st.integers(1, rules.budget - pinned)),
            since_s=draw(st.floats(0, 100)),
            is_relief=draw(st.booleans()),
        )
        for name in names
        if rules.budget > pinned
    ]
    return residents, wants, rules


def test_what_fits_is_loaded_at_once() -> None:
    """Nothing leaves as long as there is room."""
    decided = arrange([here("a", 4)], [want("b", 6)], RULES, NOW)

    assert (decided.load, decided.unload, decided.yielding) == (("b",), (), frozenset())


def test_the_least_recently_used_leaves() -> None:
    """One that is needed soonest again stays."""
    residents = [here("a", 4, used_s=50), here("b", 4, used_s=90)]

    assert arrange(residents, [want("c", 5)], RULES, NOW).unload == ("b",)


def test_nothing_leaves_in_vain() -> None:
    """Neither a small one that a large one makes superfluous, nor any where all of them together would not do."""
    residents = [here("a", 1, used_s=90), here("b", 8, used_s=50), here("c", 1, used_s=40)]
    busy = [here("a", 4), here("b", 6, is_busy=True)]

    assert arrange(residents, [want("d", 8)], RULES, NOW).unload == ("b",)
    assert arrange(busy, [want("c", 9)], RULES, NOW).unload == ()


def test_between_two_jobs_a_model_is_not_idle() -> None:
    """One that has just become ready has had no chance yet to take the job that it was loaded for."""
    decided = arrange([here("a", 8, used_s=0.2, ready_s=0.2)], [want("b", 8)], RULES, NOW)

    assert decided.unload == ()
    assert decided.again_at_s == NOW - 0.2 + IDLE_S


def test_a_busy_model_gives_way_after_a_turn() -> None:
    """Not before a job has waited for as long, nor before it has had its own; then it takes no more jobs."""
    busy = here("a", 8, used_s=0, is_busy=True)

    early = arrange([busy], [want("b", 8, since_s=4)], RULES, NOW)
    fresh = arrange([here("a", 8, used_s=0, ready_s=3, is_busy=True)], [want("b", 8, since_s=60)], RULES, NOW)

    assert (early.yielding, early.again_at_s) == (frozenset(), NOW + 6)
    assert (fresh.yielding, fresh.again_at_s) == (frozenset(), NOW + 7)
    assert arrange([busy], [want("b", 8, since_s=10)], RULES, NOW).yielding == {"a"}


def test_one_that_gives_way_leaves_when_its_jobs_have_ended() -> None:
    """It need not count as idle first."""
    waiting = [want("b", 8, since_s=12)]

    assert arrange([here("a", 8, used_s=0, is_yielding=True)], waiting, RULES, NOW).unload == ("a",)
    assert arrange([here("a", 8, used_s=0, is_yielding=True, is_busy=True)], waiting, RULES, NOW).yielding == {"a"}


def test_who_waits_longest_comes_first() -> None:
    """What comes free for one is not taken by who came later, however small."""
    residents = [here("a", 8, used_s=0, is_busy=True)]

    decided = arrange(residents, [want("small", 2, since_s=5), want("large", 9, since_s=30)], RULES, NOW)

    assert decided.yielding == {"a"}
    assert decided.load == ()


def test_before_its_turn_others_may_pass() -> None:
    """Memory that is free is not kept empty for one that could not use it yet."""
    residents = [here("a", 8, used_s=0, is_busy=True)]

    decided = arrange(residents, [want("small", 2, since_s=1), want("large", 9, since_s=3)], RULES, NOW)

    assert decided.load == ("small",)


def test_help_takes_nothing_that_was_used_of_late() -> None:
    """Where another worker serves the queue already, a model that somebody used a moment ago stays."""
    helping = [want("b", 8, since_s=60, is_relief=True)]

    assert arrange([here("a", 8, used_s=5)], helping, RULES, NOW).unload == ()
    assert arrange([here("a", 8, used_s=0, is_busy=True)], helping, RULES, NOW).yielding == frozenset()
    assert arrange([here("a", 8, used_s=RELIEF_IDLE_S)], helping, RULES, NOW).unload == ("a",)


def test_what_had_no_job_for_long_leaves_where_that_is_asked_for() -> None:
    """`--keep-loaded-s`; a pinned one stays."""
    rules = Rules(budget=10, turn_s=10.0, keep_s=60.0)
    residents = [here("a", 1, used_s=61), here("b", 1, used_s=61, is_pinned=True), here("c", 1, used_s=59)]

    decided = arrange(residents, [], rules, NOW)

    assert decided.unload == ("a",)
    assert decided.again_at_s == NOW + 1


@given(scenes())
def test_memory_is_never_promised_twice(scene: tuple[list[Resident], list[Want], Rules]) -> None:
    """What is here and what is loaded now stay within the budget, and only what may leave is unloaded."""
    residents, wants, rules = scene

    decided = arrange(residents, wants, rules, NOW)

    sizes = {each.queue: each.size for each in wants}
    assert sum(one.size for one in residents) + sum(sizes[name] for name in decided.load) <= rules.budget
    for one in residents:
        if one.is_pinned or one.is_busy or one.is_leaving or one.ready_s is None:
            assert one.queue not in decided.unload
        if one.is_pinned or one.is_leaving:
            assert one.queue not in decided.yielding


@given(scenes())
def test_whoever_waits_gets_room_in_the_end(scene: tuple[list[Resident], list[Want], Rules]) -> None:
    """Played on, with jobs that end and models that load in a second, every want is met within its turns."""
    residents, wants, rules = scene
    wants = [each._replace(is_relief=False) for each in wants]
    now_s, met = NOW, set[str]()
    for _ in range(200 * (1 + len(wants))):
        if met == {each.queue for each in wants}:
            break
        left = [each for each in wants if each.queue not in met]
        residents, loaded = _second(residents, arrange(residents, left, rules, now_s), left, now_s)
        met |= loaded
        now_s += 1

    assert met == {each.queue for each in wants}


@given(scenes())
def test_the_answer_holds_until_it_says(scene: tuple[list[Resident], list[Want], Rules]) -> None:
    """With nothing changed, an earlier look would decide the same."""
    residents, wants, rules = scene

    decided = arrange(residents, wants, rules, NOW)
    between = NOW + min(decided.again_at_s - NOW, 1_000) * 0.99

    assert arrange(residents, wants, rules, between)._replace(again_at_s=0.0) == decided._replace(again_at_s=0.0)


def test_how_soon_there_is_room() -> None:
    """At once, once something idle has ended, a moment later, or after a turn."""
    wanted, idle, quiet = want("b", 8), here("a", 8), here("a", 8, used_s=0.2)

    found = [
        room_in_s(wanted, residents, RULES, NOW)
        for residents in ([], [idle], [quiet], [here("a", 8, is_busy=True)], [here("a", 8, is_leaving=True)])
    ]

    assert found == [0, UNLOAD_S, IDLE_S + UNLOAD_S, RULES.turn_s + UNLOAD_S, UNLOAD_S]


def test_no_wish_no_change() -> None:
    """A machine with nothing to do wakes nobody."""
    assert arrange([], [], RULES, NOW) == Arrangement(again_at_s=math.inf)


def _second(
    residents: list[Resident], decided: Arrangement, wants: list[Want], now_s: float
) -> tuple[list[Resident], set[str]]:
    """What a second brings: who leaves is gone, who loads is ready and busy for ever, who gives way ends its jobs."""
    kept: list[Resident] = []
    for one in residents:
        if one.is_leaving:
            continue
        is_yielding = one.queue in decided.yielding
        is_busy = one.is_busy and not is_yielding
        is_leaving = one.queue in decided.unload
        used_s = now_s if is_busy else one.last_used_s
        ready_s = now_s if one.ready_s is None else one.ready_s
        kept.append(
            one._replace(
                is_busy=is_busy, is_yielding=is_yielding, is_leaving=is_leaving, last_used_s=used_s, ready_s=ready_s
            )
        )
    loaded = [each for each in wants if each.queue in decided.load]
    kept += [Resident(each.queue, each.size, now_s, now_s, is_busy=True) for each in loaded]
    return kept, {each.queue for each in loaded}


def test_it_is_told_for_whom_room_is_made() -> None:
    """Where it is there, where idle ones leave, where a busy one gives way; not where nothing can be done yet."""
    idle, busy = here("a", 8, used_s=5), here("a", 8, used_s=0, ready_s=60, is_busy=True)

    seen: list[tuple[list[Resident], float]] = [([], 10), ([idle], 10), ([busy], 10), ([busy], 1)]
    rooms = [arrange(residents, [want("b", 8, since_s=since_s)], RULES, NOW).room_for for residents, since_s in seen]

    assert rooms == [{"b"}, {"b"}, {"b"}, set()]
