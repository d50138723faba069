"""What a worker tells of how long jobs waited."""

import msgspec
import pytest

from shared.claims import Claimed
from shared.queue import Queue
from shared.waits import ENOUGH, Waited, decode_waits
from tests.conftest import Eventually
from tests.pool import MODEL, StartPool
from worker.waits import MOST, WINDOW_S, Waits, waited_by


def claimed(wait_ms: int = 2_000, *, entry: str = "std:1-1", attempt: int = 1, outline: str = "100 - -") -> Claimed:
    """A job that was taken after so long, and had found one of hi and four of std waiting."""
    return Claimed("job", attempt, entry, b"{}", 0, 9_000, 1_000, "", "", outline, 1_000 + wait_ms, (0, 1, 4, 0, 0))


def test_a_job_tells_how_long_it_waited_and_from_which_place() -> None:
    """Five were before it, as classes pass each other; so it was the sixth."""
    assert waited_by(claimed()) == Waited(1, 2_000, 6)


@pytest.mark.parametrize(
    "job",
    [
        claimed(99),
        claimed(attempt=2),
        claimed(entry="re:1-1"),
        claimed(entry="sus:1-1"),
        msgspec.structs.replace(claimed(), found=()),
    ],
    ids=["found a free seat", "runs again", "was given back", "runs alone", "came unseen"],
)
def test_what_says_nothing_of_others_is_not_counted(job: Claimed) -> None:
    """How long one waits that finds no seat free is what is asked."""
    assert waited_by(job) is None


def test_the_last_minute_is_told_by_class_and_size() -> None:
    """And what is older is forgotten."""
    waits = Waits()
    waits.add(claimed(9_000), 0.0)
    for outline in ("100 - -", "512 - -", "513 - -"):
        waits.add(claimed(outline=outline), 1.0)
    waits.add(claimed(50), 1.0)

    assert decode_waits(waits.told(WINDOW_S)) == {"std.s": Waited(2, 4_000, 12), "std.m": Waited(1, 2_000, 6)}
    assert waits.told(WINDOW_S + 1.0) == ""


def test_who_waited_for_a_loading_says_nothing_of_the_line() -> None:
    """It came before the engine was ready; those that came later count."""
    waits = Waits()
    waits.begin(10.0)
    waits.add(claimed(2_000), 11.9)
    assert waits.told(11.9) == ""

    waits.add(claimed(2_000), 12.0)
    assert decode_waits(waits.told(12.0))["std.s"].jobs == 1


def test_what_is_told_is_bounded() -> None:
    """However many jobs are taken in a minute."""
    waits = Waits()
    for _ in range(3 * MOST):
        waits.add(claimed(), 0.0)

    assert decode_waits(waits.told(0.0))["std.s"].jobs == MOST


async def test_a_pool_measures_how_long_jobs_wait(start_pool: StartPool, eventually: Eventually) -> None:
    """Each that found no seat free, with its place; a job that comes now is expected to wait about as they did."""
    job = {"prompt": "[[slow:50]] x", "max_tokens": 6, "background": True, "stream": False}
    async with start_pool(slots=1) as pool, pool.client() as client:
        for _ in range(ENOUGH + 2):
            await pool.http.post("/chat", json=job)

        async def is_measured() -> bool:
            waited = (await Queue(client, MODEL).survey()).waits.get("std.s", Waited())
            return waited.jobs > ENOUGH and waited.places > waited.jobs and waited.wait_ms >= 100 * waited.jobs

        await eventually(is_measured)
