"""Reap: whoever ticks, dead workers' jobs go on, late jobs end, and nothing is left behind."""

import asyncio

import pytest

from shared.claims import Claims, Row
from shared.event import Cancelled, Error
from shared.limits import write_limits
from shared.pool import Pool
from shared.queue import Reaped

from .conftest import BODY, HOUR_MS, Labs, done, started

NOTHING = Reaped(given_back=0, ended=0, workers=0)


async def test_a_dead_workers_jobs_go_back(lab: Labs) -> None:
    """A worker that falls silent delays its jobs; it never loses them."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", "b")
        await here.claim(worker, 2)

        reaped = await here.bury(worker)

        assert reaped == Reaped(given_back=2, ended=0, workers=1)
        assert await here.waiting() == {"re": 2}


async def test_a_living_worker_is_left_alone(lab: Labs) -> None:
    """Only a lease that ended is death."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)

        assert await here.tick() == NOTHING

        assert await here.state("a") == "running"


async def test_a_tick_right_after_another_does_nothing(lab: Labs) -> None:
    """Every worker and gateway ticks; together they cost what one does."""
    async with lab() as here:
        await here.tick()

        assert [await here.queue.reap() for _ in range(3)] == [None, None, None]


async def test_of_a_dead_worker_nothing_is_left(lab: Labs) -> None:
    """Its lease, its hash and its place in every class's group go with it."""
    async with lab() as here:
        worker = await here.worker()
        for job_class in ("hi", "std", "lo"):
            await here.submit(job_class, job_class=job_class)
        await here.claim(worker, 3)

        await here.bury(worker)

        assert await here.redis("ZCARD", here.keys.workers) == 0
        assert await here.redis("EXISTS", here.keys.worker(worker.worker_id)) == 0
        for job_class in ("hi", "std", "lo"):
            assert await here.consumers(job_class) == []


async def test_hundreds_of_jobs_go_back_over_several_ticks(lab: Labs) -> None:
    """A call moves a hundred at most, so that Redis is never held up; no worker is forgotten before its last job."""
    async with lab() as here:
        workers = [await here.worker() for _ in range(3)]
        for n, worker in enumerate(workers):
            await here.submit(*(f"j{n}-{m}" for m in range(90)))
            await here.claim(worker, 90)
            await here.let_lease_end(worker)

        given_back = [(await here.tick()).given_back for _ in range(4)]

        assert given_back == [100, 100, 70, 0]
        assert await here.redis("ZCARD", here.keys.workers) == 0
        assert await here.waiting() == {"re": 270}


async def test_a_supervisors_word_is_taken_at_once(lab: Labs) -> None:
    """Who started a worker knows of its death before its lease ends, and need not wait for a tick."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        await here.tick()

        assert await here.queue.reap(gone=worker.worker_id) == Reaped(given_back=1, ended=0, workers=1)

        assert await here.waiting() == {"re": 1}


async def test_a_worker_that_leaves_hands_over_what_it_still_has(lab: Labs) -> None:
    """A drained worker is gone in the moment in which it says so."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)

        await worker.leave()

        assert await here.waiting() == {"re": 1}
        assert (await here.queue.survey()).workers == []


async def test_a_stall_of_redis_kills_nobody(lab: Labs) -> None:
    """No tick for four seconds means that Redis stood still: leases valid at the last tick get that time back."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        now = await here.now_ms()
        await here.redis("HSET", here.tick_key, "at", now - 4_000)
        await here.redis("ZADD", here.keys.workers, now - 2_100, worker.worker_id)  # beat 100 ms before the stall

        assert await here.queue.reap() == NOTHING

        assert await here.state("a") == "running"


async def test_a_stall_revives_nobody_who_was_dead_before(lab: Labs) -> None:
    """A lease that had ended when Redis stopped is ended when it goes on."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        now = await here.now_ms()
        await here.redis("HSET", here.tick_key, "at", now - 4_000)
        await here.redis("ZADD", here.keys.workers, now - 4_500, worker.worker_id)

        assert await here.queue.reap() == Reaped(given_back=1, ended=0, workers=1)


async def test_a_stall_lets_no_lease_outlast_a_fresh_one(lab: Labs) -> None:
    """However long Redis stood still, a worker that died meanwhile is noticed within one lease."""
    async with lab() as here:
        worker = await here.worker()
        now = await here.now_ms()
        await here.redis("HSET", here.tick_key, "at", now - HOUR_MS)

        await here.queue.reap()

        lease = float(await here.redis("ZSCORE", here.keys.workers, worker.worker_id))
        assert lease - await here.now_ms() <= 2_000


async def test_a_stall_gives_back_no_more_than_it_took(lab: Labs) -> None:
    """Who had half a lease left when Redis stopped has half a lease left, so that its jobs go back in time."""
    async with lab() as here:
        worker = await here.worker()
        now = await here.now_ms()
        await here.redis("HSET", here.tick_key, "at", now - 4_000)
        await here.redis("ZADD", here.keys.workers, now - 3_000, worker.worker_id)

        await here.queue.reap()

        lease = float(await here.redis("ZSCORE", here.keys.workers, worker.worker_id))
        assert lease - await here.now_ms() <= 1_000


async def test_a_clock_that_steps_back_makes_nobody_immortal(lab: Labs) -> None:
    """Leases and the last tick lie in the future then: leases are cut to one of now, and ticks go on."""
    async with lab() as here:
        worker = await here.worker()
        now = await here.now_ms()
        await here.redis("HSET", here.tick_key, "at", now + 60_000)
        await here.redis("ZADD", here.keys.workers, now + 62_000, worker.worker_id)

        assert await here.queue.reap() == NOTHING

        lease = float(await here.redis("ZSCORE", here.keys.workers, worker.worker_id))
        assert lease - await here.now_ms() <= 2_000


async def test_deadlines_hold_with_no_worker_left(lab: Labs) -> None:
    """A client of a pool that died is told at its deadline, by whoever still ticks."""
    async with lab() as here:
        await here.submit("late", "in-time")
        await here.let_deadline_pass("late")

        reaped = await here.tick()

        assert reaped.ended == 1
        error = await here.last("late")
        assert isinstance(error, Error)
        assert error.code == "deadline_exceeded"
        assert await here.waiting() == {"std": 1}


async def test_a_running_jobs_deadline_is_its_workers_to_tell(lab: Labs) -> None:
    """The worker has tokens to log before the end; only when it does not act for five seconds is it fenced."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        await here.let_deadline_pass("a", by_ms=1_000)
        soon = await here.tick()
        await here.let_deadline_pass("a", by_ms=5_100)
        late = await here.tick()

        (verdict,) = await worker.append([Row("a", 1, 1, [started(1, 1)])])

        assert (soon.ended, late.ended) == (0, 1)
        assert verdict.verdict == "fenced"
        assert len(await here.events("a")) == 1


async def test_a_waiting_job_whose_gateway_died_is_ended(lab: Labs) -> None:
    """Nobody has listened for the orphan grace: its place in the queue is somebody else's."""
    async with lab() as here:
        await write_limits(here.client, "m", {"orphan_ms": 1_000})
        await here.submit("orphan", attached=True)
        await here.submit("background")
        first = await here.tick()
        await here.redis("HSET", here.keys.job("orphan"), "unheard", await here.now_ms() - 1_001)

        second = await here.tick()

        assert (first.ended, second.ended) == (0, 1)
        assert await here.events("orphan") == [Cancelled(seq=1, reason="unheard")]
        assert await here.state("background") == "waiting"


async def test_a_waiting_job_that_is_heard_is_not_ended(lab: Labs) -> None:
    """A gateway that came back in time keeps its jobs, and the grace begins anew."""
    async with lab() as here:
        await here.submit("heard", attached=True)
        await here.redis("HSET", here.keys.job("heard"), "unheard", 1)

        async with here.subscribed(here.keys.channel("heard")):
            assert (await here.tick()).ended == 0

        assert (await here.record("heard"))["unheard"] == "0"


async def test_an_orphan_has_its_grace(lab: Labs) -> None:
    """Its gateway restarts and comes back within the grace: the job has kept its place in the line."""
    async with lab() as here:
        await here.submit("orphan", attached=True)

        assert [await here.tick() for _ in range(3)] == [NOTHING] * 3

        assert await here.state("orphan") == "waiting"


async def test_only_what_is_attached_and_waits_is_an_orphan(lab: Labs) -> None:
    """Nobody need listen to a job of the background, and who runs one sees for itself that nobody hears it."""
    async with lab() as here:
        await write_limits(here.client, "m", {"orphan_ms": 1})
        await here.submit("runs", attached=True)
        await here.claim_one(await here.worker())
        await here.submit("background", attached=False)

        assert [await here.tick() for _ in range(5)] == [NOTHING] * 5

        assert (await here.state("runs"), await here.state("background")) == ("running", "waiting")


async def test_however_many_wait_every_orphan_has_its_turn(lab: Labs) -> None:
    """A tick looks at a few, and the next one goes on behind them: none is left to compute for nobody."""
    async with lab() as here:
        ids = [f"job-{n}" for n in range(200)]
        await here.submit(*ids, attached=True)

        for _ in range(50):
            await here.tick()

        assert [each for each in ids if "unheard" not in await here.record(each)] == []


async def test_a_consumer_without_a_lease_is_swept_away_with_its_jobs(lab: Labs) -> None:
    """Its lease was lost, with Redis's last second for one: what was delivered to it goes back all the same."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        await here.redis("ZREM", here.keys.workers, worker.worker_id)
        await here.redis("HSET", here.tick_key, "swept", 0)

        assert await here.tick() == Reaped(given_back=1, ended=0, workers=1)

        assert await here.consumers("std") == []


async def test_a_stranger_in_the_group_is_swept_away(lab: Labs) -> None:
    """Who reads jobs by hand holds no lease: the entry that it took is not lost."""
    async with lab() as here:
        await here.worker()
        job_id = await here.xadd(body=BODY)
        await here.redis("XREADGROUP", "GROUP", "workers", "stranger", "STREAMS", here.keys.jobs("std"), ">")
        await here.redis("HSET", here.tick_key, "swept", 0)

        reaped = await here.tick()

        assert reaped.workers == 1
        assert (await here.queue.survey()).running == 0
        assert await here.queue.peek([job_id]) == [None]


async def test_direct_entries_beyond_ten_limits_end_newest_first(lab: Labs) -> None:
    """Who floods the queue by XADD is told that it is full, by the log of the very entries that were too many."""
    async with lab() as here:
        await here.worker()
        await write_limits(here.client, "m", {"waiting": 1})
        ids = [await here.xadd(body=BODY) for _ in range(13)]

        reaped = await here.tick()

        assert reaped.ended == 3
        for job_id in ids[10:]:
            error = await here.last(job_id)
            assert isinstance(error, Error)
            assert error.code == "queue_full"
        assert await here.waiting() == {"std": 10}


async def test_direct_entries_that_waited_too_long_end(lab: Labs) -> None:
    """A day in the queue is the most: then its reader is told, and it takes nobody's place."""
    async with lab() as here:
        await here.worker()
        await here.redis("XADD", here.keys.jobs("lo"), "5-1", "body", BODY)

        await here.tick()

        error = await here.last("lo-5-1")
        assert isinstance(error, Error)
        assert error.code == "deadline_exceeded"
        assert await here.waiting() == {}


async def test_an_old_entry_ends_no_job_that_another_entry_carries(lab: Labs) -> None:
    """A producer wrote the same id twice: that one of them waited too long ends nothing of the other."""
    async with lab() as here:
        await here.submit("one")
        await here.redis("XADD", here.keys.jobs("lo"), "5-1", "id", "one", "body", BODY)

        await here.tick()

        assert await here.events("one") == []
        assert await here.waiting() == {"std": 1}


async def test_what_runs_is_not_ended_for_how_long_it_waited(lab: Labs) -> None:
    """Its entry is as old as its wait was long; from the claim on its deadline alone counts."""
    async with lab() as here:
        worker = await here.worker()
        job_id = await here.xadd(body=BODY)
        await here.claim_one(worker)
        await write_limits(here.client, "m", {"wait_ms": 1})

        assert [await here.tick() for _ in range(2)] == [NOTHING] * 2
        await worker.release(job_id, 1)

        assert await here.waiting() == {"re": 1}


async def test_what_workers_have_seen_is_not_too_many(lab: Labs) -> None:
    """Only who has come last and was not looked at yet is told that the queue is full; what runs goes on."""
    async with lab() as here:
        worker = await here.worker()
        await write_limits(here.client, "m", {"waiting": 1})
        for _ in range(13):
            await here.xadd(body=BODY)
        await here.claim(worker, 2)

        assert await here.tick() == NOTHING

        survey = await here.queue.survey()
        assert (survey.running, survey.waiting["std"]) == (2, 11)


async def test_counts_of_records_that_expired_are_forgotten(lab: Labs) -> None:
    """With no job left nobody runs anything: a tenant's share is not smaller for ever by what Redis lost."""
    async with lab() as here:
        await here.redis("HSET", f"{here.keys.prefix}:tenants", "running greedy", 3)
        await here.redis("HSET", here.tick_key, "swept", 0)

        await here.tick()

        assert await here.redis("EXISTS", f"{here.keys.prefix}:tenants") == 0


async def test_dead_letters_go_after_a_week(lab: Labs) -> None:
    """By whole blocks of the stream, which cost nothing to drop; a new one stays."""
    async with lab() as here:
        for n in range(1, 301):
            await here.redis("XADD", here.keys.dead, f"{n}-0", "body", BODY)
        await here.redis("XADD", here.keys.dead, "*", "body", BODY)
        await here.redis("HSET", here.tick_key, "swept", 0)

        await here.tick()

        assert 1 <= await here.redis("XLEN", here.keys.dead) <= 101


async def test_an_ended_jobs_forgotten_deadline_harms_nobody(lab: Labs) -> None:
    """A deadline whose job has ended, or is unknown, is dropped without a word."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        await worker.finish(Row("a", 1, 1, [done(1)]), "done")
        await here.redis("ZADD", f"{here.keys.prefix}:deadlines", 1, "a", 1, "unknown")

        assert await here.tick() == NOTHING

        assert await here.redis("ZCARD", f"{here.keys.prefix}:deadlines") == 0
        assert len(await here.events("a")) == 1


async def test_dead_letters_are_bounded(lab: Labs) -> None:
    """They go after a week, and hold 64 MiB at most: a poisonous producer must not fill Redis."""
    async with lab() as here:
        letter = "x" * (1 << 20)
        for _ in range(70):
            await here.redis("XADD", here.keys.dead, "*", "body", letter)
        await here.redis("HSET", here.tick_key, "swept", 0)

        await here.tick()

        assert await here.redis("MEMORY", "USAGE", here.keys.dead) < 64 << 20
        assert await here.redis("XLEN", here.keys.dead) > 10


@pytest.mark.parametrize("reapers", [8])
async def test_many_reapers_bury_a_worker_once(lab: Labs, reapers: int) -> None:
    """They all see the same lease end; one entry goes back once."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker)
        await here.let_lease_end(worker)

        results = await asyncio.gather(*(here.queue.reap(gone=worker.worker_id) for _ in range(reapers)))

        assert sum(reaped.given_back for reaped in results if reaped) == 1
        assert await here.waiting() == {"re": 1}


async def test_a_new_incarnation_goes_on_under_its_own_name(lab: Labs) -> None:
    """A name that was buried is never used again; the next one of the same machine is a worker like any other."""
    async with lab() as here:
        old = await here.worker()
        await here.running("a", old)
        await here.bury(old)

        new = Claims(here.client, "m", "mac.1.new", host="mac")
        await new.register("weights", {"state": "ready"})

        assert (await here.claim_one(new)).attempt == 2


async def test_whoever_saw_a_worker_end_may_say_so(lab: Labs) -> None:
    """A supervisor's word is as good as the lease's end: the jobs of that process, and of no other, go back at once."""
    async with lab() as here:
        gone, other = await here.worker("mac"), await here.worker("linux")
        await here.running("one", gone)
        await here.running("two", other)

        given_back = await Pool(here.client).bury("mac", 1)

        assert given_back == 1
        assert await here.waiting() == {"re": 1}
        assert await here.state("two") == "running"
