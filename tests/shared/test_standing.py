"""Where a waiting job stands: how many are served before it."""

from collections import Counter
from collections.abc import Mapping

import pytest

from shared.standing import SHARES, Place, jobs_before, jobs_before_new
from worker.placement import WHEEL

from .conftest import Labs


@pytest.mark.parametrize(
    ("job_class", "before", "waiting", "expected"),
    [
        ("std", 0, {"std": 1}, 0),
        ("std", 4, {"std": 9}, 4),
        ("std", 4, {"re": 2, "std": 9}, 6),
        ("std", 0, {"hi": 5, "std": 1}, 2),
        ("std", 2, {"hi": 5, "std": 3}, 7),
        ("lo", 0, {"hi": 1, "std": 9, "lo": 1}, 4),
        ("hi", 0, {"hi": 1, "std": 9, "lo": 9}, 0),
        ("re", 1, {"re": 2, "hi": 5}, 1),
        ("sus", 0, {"std": 3, "sus": 1}, 3),
    ],
)
def test_classes_pass_each_other_as_the_wheel_turns(
    job_class: str, before: int, waiting: Mapping[str, int], expected: int
) -> None:
    """What was given back goes first, suspects last; of the others each has its share of the turns."""
    assert jobs_before(job_class, before, waiting) == expected


def test_one_that_comes_now_stands_behind_its_class() -> None:
    """And lets those of the others pass whose turn comes sooner."""
    waiting = {"re": 1, "hi": 2, "std": 4, "lo": 9, "sus": 0}

    assert {name: jobs_before_new(name, waiting) for name in SHARES} == {"hi": 4, "std": 8, "lo": 16}
    assert jobs_before_new("std", {}) == 0


def test_the_shares_are_those_of_the_wheel() -> None:
    """What is told to clients follows from what the workers do."""
    assert Counter(WHEEL) == SHARES


async def test_a_job_moves_up_with_every_claim(lab: Labs) -> None:
    """First come, first served: so many stand before it, and none before one that runs."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", "b")
        await here.submit("c")
        assert await here.queue.jobs_before(["a", "b", "c", "unknown"]) == [0, 1, 2, None]

        await here.claim_one(worker)

        assert await here.queue.jobs_before(["a", "b", "c"]) == [None, 0, 1]


async def test_direct_jobs_are_counted_too(lab: Labs) -> None:
    """Whoever added it: what was on the stream first is served first."""
    async with lab() as here:
        await here.xadd(body="{}")
        await here.submit("a")
        await here.xadd(body="{}")

        assert await here.queue.jobs_before(["a"]) == [1]


async def test_cancelled_jobs_leave_no_hole_in_front(lab: Labs) -> None:
    """Those that stood before it are gone; one that stood behind makes its place look better, never worse."""
    async with lab() as here:
        await here.submit("a", "b", "c", "d")

        await here.queue.cancel("a")
        assert await here.queue.jobs_before(["b", "c", "d"]) == [0, 1, 2]

        await here.queue.cancel("d")
        assert await here.queue.jobs_before(["b", "c"]) == [0, 0]


async def test_a_job_that_was_given_back_waits_among_its_like(lab: Labs) -> None:
    """It left its place, and goes before all that has never run."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", "b", "c")
        await here.claim_one(worker)
        await worker.release("a", 1)

        assert await here.queue.jobs_before(["a", "b", "c"]) == [0, 1, 2]
        assert await here.queue.places(["a"]) == [Place("re", 0)]


async def test_the_place_of_nobody_is_asked_without_making_a_key(lab: Labs) -> None:
    """To look is never an error, of a queue that nobody has made neither."""
    async with lab() as here:
        assert await here.queue.jobs_before(["a"]) == [None]
        assert await here.redis("KEYS", "*") == []
