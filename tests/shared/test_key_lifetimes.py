"""Nothing is kept for ever: every key about a job has an end, and a quiet system holds what an empty one does."""

from shared.claims import Row
from shared.limits import write_limits

from .conftest import BODY, HOUR_MS, Lab, Labs, done, started, token


async def _ttls(here: Lab, job_id: str) -> tuple[int, int]:
    record, log = here.keys.job(job_id), here.keys.log(job_id)
    return await here.redis("PEXPIRETIME", record), await here.redis("PEXPIRETIME", log)


async def test_a_waiting_jobs_record_outlives_its_deadline(lab: Labs) -> None:
    """It is there to tell of the deadline, and for the retention time behind it; then it goes by itself."""
    async with lab() as here:
        await here.submit("a", timeout_ms=HOUR_MS)

        expires_at, _ = await _ttls(here, "a")

        deadline = int((await here.record("a"))["deadline"])
        assert expires_at == deadline + 600_000


async def test_the_record_of_a_direct_job_that_is_heard_outlives_its_wait(lab: Labs) -> None:
    """A cancel that found a listener made the record; it stays as long as the entry may wait, which is a day."""
    async with lab() as here:
        job_id = await here.xadd(body=BODY)

        async with here.subscribed(here.keys.channel(job_id)):
            heard = await here.queue.cancel(job_id, if_unheard=True)

        assert heard == "heard"
        expires_at = await here.redis("PEXPIRETIME", here.keys.job(job_id))
        assert expires_at > int((await here.record(job_id))["deadline"])


async def test_record_and_log_always_leave_together(lab: Labs) -> None:
    """A log without its record could be written over; a record without its log would tell of events that are gone."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", may_wait=True)
        claimed = await here.claim_one(worker)
        await worker.append([Row("a", 1, 1, [started(1, 1)])])
        running = await _ttls(here, "a")
        await worker.finish(Row("a", 1, 2, [done(2)]), "done")
        ended = await _ttls(here, "a")

        assert running[0] == running[1] == claimed.deadline_ms + 600_000
        assert ended[0] == ended[1]
        assert 599_000 < ended[0] - await here.now_ms() <= 600_000


async def test_a_later_attempt_extends_both(lab: Labs) -> None:
    """A patient direct job's log lives as long as its record from its first event on."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.xadd(body=BODY, id="a")
        await here.claim_one(first)
        await first.append([Row("a", 1, 1, [started(1, 1)])])
        await first.release("a", 1)

        await here.claim_one(second)

        record, log = await _ttls(here, "a")
        assert record == log


async def test_the_retention_is_the_operators(lab: Labs) -> None:
    """Ended jobs stay as long as the limits say: memory against time to resume."""
    async with lab() as here:
        await write_limits(here.client, "m", {"retention_ms": 60_000})
        await here.submit("a")

        await here.queue.cancel("a")

        now = await here.now_ms()
        assert all(59_000 < at - now <= 60_000 for at in await _ttls(here, "a"))


async def test_a_quiet_system_is_an_empty_one(lab: Labs) -> None:
    """After work of every kind: streams empty, nothing pending, no consumer without a lease, all job keys dated."""
    async with lab() as here:
        worker, other = await here.worker(), await here.worker()
        await here.submit("a", "b", "c", "d")
        await here.xadd(body=BODY, id="e")
        await here.xadd(id="broken")
        for job in await here.claim(worker, 9):
            await worker.append([Row(job.id, 1, 1, [started(1, 1), token(2)])])
        await worker.finish(Row("a", 1, 3, [done(3)]), "done")
        await here.queue.cancel("b")
        await worker.release("c", 1)
        await here.bury(worker)
        for job in await here.claim(other, 9):
            await other.finish(Row(job.id, 2, 3, [done(3)]), "done")
        await other.leave()

        await _assert_quiet(here)


async def _assert_quiet(here: Lab) -> None:
    for job_class in ("re", "hi", "std", "lo", "sus"):
        stream = here.keys.jobs(job_class)
        assert await here.redis("XLEN", stream) == 0
        assert await here.consumers(job_class) == []
    assert await here.redis("ZCARD", here.keys.workers) == 0
    assert await here.redis("ZCARD", f"{here.keys.prefix}:deadlines") == 0
    for job_id in ("a", "b", "c", "d", "e", "broken"):
        assert await here.state(job_id) == "ended"
        assert all(at > 0 for at in await _ttls(here, job_id))
