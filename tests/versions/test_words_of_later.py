"""Words that a later version may add: what does not know them goes on without."""

import asyncio
import json

import pytest

from shared.claims import Claimed, Claims, Row
from shared.connection import Broker
from tests.claiming import claim
from tests.conftest import Eventually
from tests.pool import MODEL

from .conftest import StartMixed, Trees, Version
from .stream import check_whole, events_of, workers_of

_T = f"pool:{{{MODEL}}}"
pytestmark = pytest.mark.long
of_each_version = pytest.mark.parametrize("version", ["earlier", "this"])


@of_each_version
async def test_unknown_fields_and_messages_are_passed_over(
    start_mixed: StartMixed, eventually: Eventually, version: Version
) -> None:
    """In an entry, in the limits, in a worker's own hash, and on its control channel."""
    async with start_mixed(gateway=version, workers=[version]) as pool, pool.client() as redis:
        worker = (await pool.http.get("/pool")).json()["workers"][0]["id"]
        await redis.command("HSET", f"{_T}:limits", "mood", "fine")
        await redis.command("HSET", f"{_T}:worker:{worker}", "wanted", "dance", "mood", "fine")
        await redis.command("PUBLISH", f"{_T}:ctl:{worker}", "dance 7")
        words = ("body", '{"prompt":"x","max_tokens":3}', "mood", "fine")
        entry = (await redis.command("XADD", f"{_T}:jobs:std", "*", *words)).decode()

        async def has_ended() -> bool:
            rows = await redis.command("XRANGE", f"{_T}:log:std-{entry}", "-", "+")
            return any(json.loads(fields[b"e"])["status"] == "done" for _, fields in rows)

        await eventually(has_ended)
        answer = await pool.http.post("/chat", json={"prompt": "x", "max_tokens": 3})

    assert events_of(answer.text)[0]["worker"] == worker
    assert events_of(answer.text)[-1]["status"] == "done"


@of_each_version
async def test_what_a_later_version_has_logged_is_stepped_over(
    start_mixed: StartMixed, trees: Trees, eventually: Eventually, version: Version
) -> None:
    """An event of a kind that it does not know costs neither the gateway's client nor the next worker a token."""
    async with start_mixed(gateway=version, workers=[version], slots=1) as pool, pool.client() as redis:
        asked = asyncio.create_task(pool.http.post("/chat", json={"prompt": "s", "max_tokens": 300}))
        await eventually(lambda: pool.busy(1))
        pool.workers[0].kill()
        left_out = await _have_a_turn(redis, eventually)
        pool.add_worker(slots=1, step_ms=5, tree=trees[version])
        answer = await asked

    events = events_of(answer.text)
    check_whole(events, answer.headers["x-job-id"], "s", 300, left_out=left_out)
    assert workers_of(events) == ["mac-1", "later", "mac-2"]


async def _have_a_turn(redis: Broker, eventually: Eventually) -> int:
    """As a worker of a later version take the job, log what nobody knows, and hand it over; gives that event's seq."""
    later = Claims(redis, MODEL, "later.1.ab", host="later")
    await later.register("", {"state": "ready", "slots": 1, "mood": "fine"})
    claimed: list[Claimed] = []

    async def has_taken() -> bool:
        await later.beat({})
        claimed.extend(await claim(later))
        return bool(claimed)

    await eventually(has_taken)
    (job,) = claimed
    before = [json.loads(event) for event in await later.read_events(job.id)]
    ids = sum(len(event.get("tokens", ())) for event in before)
    new = {"seq": job.seq + 1, "attempt": job.attempt, "worker": later.worker_id, "resumed_tokens": ids, "mood": "fine"}
    events = [before[0] | new, {"status": "thought", "seq": job.seq + 2, "depth": 3}]
    await later.append([Row(job.id, job.attempt, job.seq + 1, [json.dumps(event).encode() for event in events])])
    await later.release(job.id, job.attempt)
    await later.leave()
    return job.seq + 2
