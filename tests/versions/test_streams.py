"""Streams in pools of two versions: whoever began one, a part of the other version goes on with it."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.conftest import Eventually

from .conftest import StartMixed, Trees, Version
from .stream import check_whole, events_of, workers_of

_TOKENS = 200
pytestmark = pytest.mark.long


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
@pytest.mark.parametrize(("first", "second"), [("earlier", "this"), ("this", "earlier")])
async def test_a_stream_goes_on_at_a_worker_of_the_other_version(
    start_mixed: StartMixed,
    trees: Trees,
    eventually: Eventually,
    *,
    first: Version,
    second: Version,
    by: signal.Signals,
) -> None:
    """Six clients read what they would have read undisturbed, whether their worker is killed or drained."""
    async with start_mixed(gateway="this", workers=[first]) as pool:
        asks = [
            asyncio.create_task(pool.http.post("/chat", json={"prompt": f"story {n}", "max_tokens": _TOKENS}))
            for n in range(6)
        ]
        await eventually(lambda: pool.busy(6))
        pool.workers[0].send_signal(by)
        pool.add_worker(slots=8, step_ms=2, tree=trees[second])
        answers = await asyncio.gather(*asks)

    for n, answer in enumerate(answers):
        events = events_of(answer.text)
        check_whole(events, answer.headers["x-job-id"], f"story {n}", _TOKENS)
        assert workers_of(events) == ["mac-1", "mac-2"]


@pytest.mark.parametrize("gateway", ["earlier", "this"])
async def test_workers_of_two_versions_share_a_queue(start_mixed: StartMixed, gateway: Version) -> None:
    """Forty jobs that come at once are served by both, each job once; and the pool tells who runs which version."""
    async with start_mixed(gateway=gateway, workers=["earlier", "this"], slots=2, step_ms=5) as pool:
        asks = [pool.http.post("/chat", json={"prompt": f"job {n}", "max_tokens": 20}) for n in range(40)]
        answers = await asyncio.gather(*asks)
        versions = {each["version"] for each in (await pool.http.get("/pool")).json()["workers"]}

    served: Counter[str] = Counter()
    for n, answer in enumerate(answers):
        events = events_of(answer.text)
        check_whole(events, answer.headers["x-job-id"], f"job {n}", 20)
        served.update(workers_of(events))
    assert sum(served.values()) == 40
    assert min(served["mac-1"], served["mac-2"]) >= 10
    assert len(versions) == 2
