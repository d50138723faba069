"""Whether a model is loaded for the jobs that wait: who is soonest does it, once, and only where it helps."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.survey import Survey, WorkerView
from worker.demand import GRACE_S, MOST_HOLD_S, Later, Load, Me, begun, decide, need_of


def view(name: str, state: str = "standby", **told: Any) -> WorkerView:
    return WorkerView(name, state=state, lease_ends_in_ms=told.pop("lease_ends_in_ms", 1_500), **told)


def seen(*workers: WorkerView, waiting: int = 1) -> Survey:
    return Survey("m", 0, {"std": waiting}, 0, 1_000, list(workers), 0)


ME = Me("me", 5.0)
BUSY = view("busy", "ready", slots=1, busy=1, job_seconds=1.0)

VIEWS = st.builds(
    view,
    st.sampled_from(["a", "b", "c", "d", "e"]),
    st.sampled_from(["standby", "loading", "ready", "draining", "sick"]),
    load_s=st.floats(0, 100),
    progress=st.floats(0, 1),
    coming=st.booleans(),
    slots=st.integers(0, 4),
    busy=st.integers(0, 4),
    job_seconds=st.floats(0, 30),
    lease_ends_in_ms=st.sampled_from([1_500, -1]),
)


def _seen(views: list[WorkerView], waiting: int) -> Survey:
    return seen(*views, waiting=waiting)


SURVEYS = st.builds(_seen, st.lists(VIEWS, max_size=6, unique_by=lambda one: one.id), st.integers(1, 50))


def test_nobody_loads_for_an_empty_queue() -> None:
    """A model takes memory only once a job has asked for it."""
    assert need_of(seen(view("me"), waiting=0), None, ME) == "none"
    assert decide("none", 100.0, seen(view("me")), ME) == Later(math.inf)


def test_a_job_that_nobody_serves_is_urgent() -> None:
    """Whoever stands by, drains, rests or has no lease any more does not serve it."""
    others = [view("b"), view("c", "draining"), view("d", "sick"), view("e", "ready", slots=4, lease_ends_in_ms=-1)]

    assert need_of(seen(view("me"), *others), 0.0, ME) == "urgent"


def test_who_has_a_free_seat_is_left_the_job() -> None:
    """Another engine is not started for a job that is about to be taken."""
    assert need_of(seen(view("b", "ready", slots=4, busy=3)), 60.0, ME) == "none"


def test_a_long_line_is_relieved() -> None:
    """Where the last one would wait longer than loading takes, one more loads; where it would not, none does."""
    assert need_of(seen(BUSY, waiting=20), 2.0, ME) == "relief"
    assert need_of(seen(BUSY, waiting=3), 2.0, ME) == "none"
    assert need_of(seen(BUSY, waiting=20), 0.5, ME) == "none"


def test_who_will_be_ready_sooner_is_waited_for() -> None:
    """One that has loaded for a while, or loads quickly; not one that takes longer, or far longer than it said.

    For how long the job has waited says nothing of that: it may have waited before the loading began.
    """
    half_way = view("b", "loading", load_s=8.0, progress=0.5)

    assert need_of(seen(half_way), 300.0, ME) == "none"
    assert need_of(seen(half_way), 30.0, ME, lasting_s={("b", "loading"): 30.0}) == "urgent"
    assert need_of(seen(view("b", "loading", load_s=60.0, progress=0.1)), 1.0, ME) == "urgent"


def test_the_quick_one_loads_and_the_slow_one_waits_for_the_difference() -> None:
    """Each knows its place among those who stand by, and nobody has to tell it."""
    quick, slow = Me("b", 2.0), Me("a", 9.0)
    survey = seen(view("b", load_s=2.0), view("a", load_s=9.0))

    assert decide("urgent", 0.0, survey, quick) == Load()
    assert decide("urgent", 0.0, survey, slow) == Later(7.0)
    assert decide("urgent", 7.0, survey, slow) == Load()


def test_equals_are_told_apart_by_their_names() -> None:
    """Two that are as quick do not both load: the second looks whether the first has begun."""
    survey = seen(view("a", load_s=2.0), view("b", load_s=2.0))

    assert decide("urgent", 0.0, survey, Me("a", 2.0)) == Load()
    assert decide("urgent", 0.0, survey, Me("b", 2.0)) == Later(GRACE_S)


def test_when_a_loading_began_is_when_it_was_first_seen() -> None:
    """Making room is another beginning; what is over is forgotten."""
    first = begun({}, seen(view("a", "loading"), view("b", coming=True), view("c")), 1.0)
    second = begun(first, seen(view("a", "loading"), view("b", "loading")), 2.0)

    assert first == {("a", "loading"): 1.0, ("b", "standby"): 1.0}
    assert second == {("a", "loading"): 1.0, ("b", "loading"): 2.0}


def test_one_makes_room_and_the_others_keep_what_they_have() -> None:
    """One job for another model must not have all machines give up the one that they serve."""
    comes, idle = view("b", load_s=11.0, coming=True), Me("a", 0.5)
    survey = seen(view("a", load_s=11.0), comes)

    assert need_of(survey, 20.0, Me("a", 11.0)) == "none"
    assert need_of(survey, 20.0, Me("a", 11.0), lasting_s={("b", "standby"): 60.0}) == "urgent"
    assert need_of(survey, 20.0, idle) == "urgent"


@given(loads=st.lists(st.sampled_from([1.0, 11.0, 12.0]), min_size=1, max_size=5))
def test_of_all_who_make_room_one_goes_on(loads: list[float]) -> None:
    """Those that began at the same moment see each other: the soonest stays at it."""
    standing = [view(name, load_s=load_s, coming=True) for name, load_s in zip("abcde", loads, strict=False)]
    survey = seen(*standing)

    stay = [each.id for each in standing if need_of(survey, 9.0, Me(each.id, each.load_s, True)) == "urgent"]

    assert stay == [min(standing, key=lambda each: (each.load_s, each.id)).id]


def test_what_the_only_ready_host_gave_back_is_urgent() -> None:
    """Its free seats are none for that job; another ready host's are, and one that loads there is waited for."""
    here = view("b", "ready", slots=4, host="b")
    there = view("c", "ready", slots=4, host="c")
    comes = view("d", "loading", load_s=3.0, host="d")

    assert need_of(seen(here), 0.1, ME, kept_from=["b"]) == "urgent"
    assert need_of(seen(here, there), 0.1, ME, kept_from=["b"]) == "none"
    assert need_of(seen(here, comes), 0.1, ME, kept_from=["b"]) == "none"
    assert need_of(seen(here), 0.1, ME, kept_from=["gone"]) == "none"


@given(survey=SURVEYS, oldest_s=st.floats(0, 300), load_s=st.floats(0.001, 100), needed_s=st.floats(0, 300))
def test_nobody_is_waited_for_longer_than_so(survey: Survey, oldest_s: float, load_s: float, needed_s: float) -> None:
    """Whatever the others say: where there is a need, it is met within the longest hold; `after_s` is honest."""
    me = Me("me", load_s)

    need = need_of(survey, oldest_s, me)
    decided = decide(need, needed_s, survey, me)

    if need == "none":
        assert decided == Later(math.inf)
    elif isinstance(decided, Later):
        assert 0 < decided.after_s <= MOST_HOLD_S
        assert needed_s < MOST_HOLD_S
        assert decide(need, needed_s + decided.after_s + 1e-6, survey, me) == Load()


@given(survey=SURVEYS, needed_s=st.floats(0, 0.9))
def test_of_all_who_stand_by_one_begins(survey: Survey, needed_s: float) -> None:
    """Those that see the same workers at the same time: the soonest loads, and no other within the grace."""
    standing = [worker for worker in survey.workers if worker.is_standing_by]

    begin = [each.id for each in standing if decide("urgent", needed_s, survey, Me(each.id, each.load_s)) == Load()]

    assert begin == [each.id for each in standing if (each.load_s, each.id) == min((w.load_s, w.id) for w in standing)]


@given(survey=SURVEYS, oldest_s=st.floats(0, 300), load_s=st.floats(0.001, 100))
def test_who_is_alone_is_always_willing(survey: Survey, oldest_s: float, load_s: float) -> None:
    """With no living worker beside me every waiting job is urgent, and I load at once."""
    dead = [worker for worker in survey.workers if worker.lease_ends_in_ms < 0]
    alone = seen(*dead)
    me = Me("me", load_s)

    assert need_of(alone, oldest_s, me) == "urgent"
    assert decide("urgent", 0.0, alone, me) == Load()
