"""Who is shown as there, gone, or left."""

from typing import Any

from gateway.page.incident import incidents
from gateway.page.roster import GONE_FOR_MS, LEFT_FOR_MS, PACES, Roster, next_roster
from gateway.pool import PoolWorker


def worker(name: str = "mac-1.7.aa", *, state: str = "ready", **fields: Any) -> PoolWorker:
    """A worker as it tells of itself."""
    host = name.partition(".")[0]
    return PoolWorker(id=name, host=host, model="tiny", state=state, slots=4, lease_ends_in_ms=1_900, **fields)


def shown(roster: Roster) -> dict[str, str]:
    """The states by name."""
    return {name: seen.worker.state for name, seen in roster.items()}


def test_who_is_missed_is_shown_as_gone_for_a_while() -> None:
    """A person who looks a minute later sees that one is missing."""
    there = next_roster({}, [worker()], 0)

    gone = next_roster(there, [], 1_000)
    later = next_roster(gone, [], 1_000 + GONE_FOR_MS)

    assert shown(gone) == shown(later) == {"mac-1.7.aa": "gone"}
    assert next_roster(later, [], 1_001 + GONE_FOR_MS) == {}


def test_who_drained_has_left_and_nobody_is_missed() -> None:
    """It went as it was told to."""
    draining = next_roster({}, [worker(state="draining")], 0)

    left = next_roster(draining, [], 1_000)

    assert shown(left) == {"mac-1.7.aa": "left"}
    assert next_roster(left, [], 1_001 + LEFT_FOR_MS) == {}


def test_the_next_run_takes_the_place_of_the_last() -> None:
    """A machine that is back is not gone beside that; one of its two workers that is gone still is."""
    both = next_roster({}, [worker("mac-1.7.aa"), worker("mac-1.8.bb")], 0)
    one = next_roster(both, [worker("mac-1.8.bb")], 1_000)

    back = next_roster(one, [worker("mac-1.8.bb"), worker("mac-1.9.cc")], 2_000)

    assert shown(one) == {"mac-1.8.bb": "ready", "mac-1.7.aa": "gone"}
    assert shown(back) == {"mac-1.8.bb": "ready", "mac-1.9.cc": "ready"}


def test_the_last_paces_are_remembered_and_no_more() -> None:
    """A worker without a job has none, whatever it told last."""
    roster: Roster = {}
    for at in range(PACES + 5):
        roster = next_roster(roster, [worker(busy=at % 2, tokens_per_second=30)], at)

    paces = roster["mac-1.7.aa"].paces
    assert len(paces) == PACES
    assert set(paces) == {0.0, 30}


def test_comings_and_goings_are_told_once() -> None:
    """And so are engines that died."""
    empty: Roster = {}
    one = next_roster(empty, [worker()], 0)
    died = next_roster(one, [worker(engine_deaths=2)], 1_000)
    gone = next_roster(died, [], 2_000)
    still = next_roster(gone, [], 3_000)

    looks = [(empty, one), (one, died), (died, gone), (gone, still)]
    told = [incidents(before, after, [], [], at_ms=5) for before, after in looks]

    assert [[(each.kind, each.count) for each in some] for some in told] == [
        [("joined", 1)],
        [("engine_died", 2)],
        [("gone", 1)],
        [],
    ]
