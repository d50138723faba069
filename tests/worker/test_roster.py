"""Which models a worker serves and what memory each has: settled from sizes before it joins the pool."""

import pytest

from shared.errors import Refused
from worker.roster import GIB, Asked, Roster, read_size, settle
from worker.settings import Settings
from worker.weights import Room


def asked(name: str, memory_mb: int | None, *, pinned: bool = False, present: bool = True) -> Asked:
    room = Room(name, f"/models/{name}", None, present, memory_mb, possible_mb=48_000)
    return Asked(name, pinned, room)


def limits(roster: Roster) -> list[float]:
    return [round((model.limit or 0) / GIB, 1) for model in roster.models]


@pytest.mark.parametrize(
    ("word", "name", "gib"),
    [("a", "a", None), ("a=12", "a", 12), ("a=1.5", "a", 1.5), ("a=b", "a=b", None), ("=3", "=3", None)],
)
def test_a_size_may_be_said(word: str, name: str, gib: float | None) -> None:
    """Behind the name; what is no size belongs to the name."""
    assert read_size(word) == (name, None if gib is None else int(gib * GIB))


def test_models_share_what_the_machine_can_give() -> None:
    """Three quarters of the memory, for as many as fit; one that is to be fetched takes longer to come."""
    roster = settle([asked("a", 8_000), asked("b", 8_000, present=False)], Settings())

    assert sum(limits(roster)) == pytest.approx(48_000_000_000 / GIB, abs=0.1)
    assert [model.fetch_s > 0 for model in roster.models] == [False, True]
    assert all(model.load_s > 8 for model in roster.models)


def test_workers_of_one_machine_share_its_memory() -> None:
    """Each of two has half."""
    roster = settle([asked("a", 8_000)], Settings(workers_here=2))

    assert limits(roster) == [pytest.approx(24_000_000_000 / GIB, abs=0.1)]


def test_no_engine_has_more_than_was_said_of_each() -> None:
    """`--memory-limit-gb` holds beside what models may fill together."""
    assert limits(settle([asked("a", 8_000)], Settings(models_memory_gb=40, memory_limit_gb=16))) == [16]


@pytest.mark.parametrize(
    ("models", "settings", "said"),
    [
        ([asked("a", 60_000)], Settings(), "raise --models-memory-gb"),
        ([asked("p", 20_000, pinned=True), asked("a", 20_000)], Settings(), "beside p, which stays loaded"),
        ([asked("a", 1_000), asked("a", 1_000)], Settings(), "named twice"),
        ([asked("org/a", None, present=False)], Settings(), "--on-demand org/a=GIB"),
    ],
)
def test_what_can_never_be_loaded_is_refused(models: list[Asked], settings: Settings, said: str) -> None:
    """The message says what to do."""
    with pytest.raises(Refused, match=said):
        settle(models, settings)
