"""When a client may come back whose job found no room."""

import pytest

from gateway.returning import SOONEST_MS, come_back_ms
from shared.errors import Refused
from shared.queue import Crowded
from shared.survey import Survey, WorkerView
from shared.waits import Waited

from .conftest import Eventually, Serving

BUSY = WorkerView("w", state="ready", lease_ends_in_ms=1_000, slots=4, busy=4, job_seconds=4.0)
FULL = Refused("queue_full", "full", retry_after_ms=77_000)


def survey(*workers: WorkerView, waiting: int = 49, **waits: Waited) -> Survey:
    """A queue in which so many jobs of class std wait."""
    told = {name.replace("_", "."): waited for name, waited in waits.items()}
    return Survey("m", 0, {"std": waiting}, 4, 77_000, list(workers), 0, told)


@pytest.mark.parametrize(
    ("refused", "seen", "expected_ms"),
    [
        (FULL, survey(BUSY), 50_000),
        (FULL, survey(BUSY, std_s=Waited(4, 160_000, 200)), 40_000),
        (Crowded(24), survey(BUSY), 2_000),
        (Crowded(99), survey(BUSY), SOONEST_MS),
        (FULL, survey(BUSY, waiting=0), SOONEST_MS),
        (FULL, survey(), 77_000),
        (Refused("idempotency_mismatch", "other"), survey(BUSY), None),
    ],
    ids=["by the pace", "as measured", "a tenant's share", "not at once", "a queue that emptied", "unknown", "no wait"],
)
def test_it_is_as_long_as_such_a_job_would_wait(refused: Refused, seen: Survey, expected_ms: int | None) -> None:
    """A tenant's first place comes sooner; where nobody knows, what the queue said stays."""
    assert come_back_ms(refused, seen, "std", 100) == expected_ms


async def test_a_full_queue_says_when_to_come_back(serving: Serving, eventually: Eventually) -> None:
    """By the workers' pace, and for the class that was asked for."""
    async with serving() as served:
        served.hand.tells = {"slots": 2, "busy": 2, "job_seconds": 20.0}
        await served.hand.broker.command("HSET", served.hand.queue.keys.limits, "waiting", 3)
        background = {"prompt": "x", "background": True, "stream": False}
        for _ in range(3):
            await served.http.post("/chat", json=background)

        async def says_so() -> bool:
            answer = await served.http.post("/chat", json=background)
            assert answer.status_code == 429
            return 40_000 <= int(answer.headers["retry-after-ms"]) <= 60_000

        await eventually(says_so)
