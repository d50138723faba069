"""What can be told of a job afterwards: when it waited, who had it, how it ended."""

import asyncio

import pytest

from shared.claims import Row
from shared.errors import Refused
from shared.event import Done, Timings, Usage, encode_event
from shared.life import Life, glance, life_of, tell
from shared.open_jobs import open_jobs
from shared.queue import LogEntry, keyed_job_id

from .conftest import BODY, Lab, Labs, done, started, token


def steps(life: Life) -> list[tuple[str, int]]:
    """What befell it, with the attempt."""
    return [(step.what, step.attempt) for step in life.steps]


async def lived(here: Lab) -> None:
    """A job that one worker began and handed over, and another ended."""
    first, second = await here.worker("mac1"), await here.worker("mac2")
    await here.running("a", first, tokens=2)
    await first.release("a", 1)
    await here.claim_one(second)
    await second.append([Row("a", 2, 4, [started(4, 2), token(5)])])
    await second.finish(Row("a", 2, 6, [done(6)]), "done")


async def test_a_jobs_life_is_told_across_its_workers(lab: Labs) -> None:
    """Each claim with its worker, each hand-over, and the end; in order, by one clock."""
    async with lab() as here:
        await lived(here)

        life = await life_of(here.client, "a")

        first_life = [("claimed", 1), ("started", 1), ("given_back", 1)]
        assert steps(life) == [("queued", 0), *first_life, ("claimed", 2), ("started", 2), ("done", 2)]
        assert [step.worker.partition(".")[0] for step in life.steps if step.what == "claimed"] == ["mac1", "mac2"]
        times = [step.at_ms for step in life.steps if step.at_ms is not None]
        assert len(times) == 5
        assert times == sorted(times)
        assert (life.state, life.attempts, life.tokens) == ("ended", 2, 3)


async def test_a_life_holds_no_text(lab: Labs) -> None:
    """What was asked and answered is not the operator's."""
    async with lab() as here:
        await lived(here)

        assert "t2" not in str(await life_of(here.client, "a"))
        assert "hello" not in str(await life_of(here.client, "a"))


async def test_a_direct_job_is_known_before_anybody_looked_at_it(lab: Labs) -> None:
    """It has no record yet; its default id names its entry."""
    async with lab() as here:
        await here.worker()
        job_id = await here.xadd(body=BODY, tenant="t")

        life = await life_of(here.client, job_id)

        assert (life.state, life.tenant, life.attempts) == ("waiting", "t", 0)
        assert life.steps[0].at_ms == int(job_id.split("-")[1])


async def test_a_direct_jobs_life_is_told_as_any_other(lab: Labs) -> None:
    """How it came makes no difference."""
    async with lab() as here:
        worker = await here.worker()
        job_id = await here.xadd(body=BODY)
        await here.claim_one(worker)

        assert steps(await life_of(here.client, job_id)) == [("queued", 0), ("claimed", 1)]


async def test_a_clients_own_id_leads_to_its_job(lab: Labs) -> None:
    """Over HTTP it is kept under another name, which depends on the tenant."""
    async with lab() as here:
        await here.worker()
        await here.submit(keyed_job_id("m", "t", "mine"), tenant="t")

        assert (await life_of(here.client, "mine", tenant="t")).state == "waiting"
        with pytest.raises(Refused, match="mine"):
            await life_of(here.client, "mine")


async def test_a_second_look_costs_no_log(lab: Labs) -> None:
    """What only the record tells is told anew: state, claims, hand-overs; and that it is gone."""
    async with lab() as here:
        first = await here.worker("mac1")
        await here.submit("a")
        life = await life_of(here.client, "a")
        await here.claim_one(first)
        await first.release("a", 1)

        again = await glance(here.client, life)

        assert again
        assert steps(again) == [("queued", 0), ("claimed", 1), ("given_back", 1)]
        await here.queue.forget("a")
        assert await glance(here.client, life) is None


async def test_who_waits_for_a_log_hears_of_it_and_is_nobodys_reader(lab: Labs) -> None:
    """The wait ends with what is logged, or with its time; an attached job does not live on by it."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("a", worker, tokens=2)

        assert [entry.seq for entry in await here.queue.await_log("a", after=1, timeout_ms=1_000)] == [2, 3]
        waiting = asyncio.create_task(here.queue.await_log("a", after=3, timeout_ms=1_900))
        heard = await here.redis("PUBSUB", "NUMSUB", here.keys.channel("a"))
        await worker.append([Row("a", 1, 4, [token(4)])])

        assert [(entry.seq, entry.attempt) for entry in await waiting] == [(4, 1)]
        assert heard[1] == 0
        assert await here.queue.await_log("a", after=4, timeout_ms=1) == []


def test_the_first_tokens_time_is_reckoned_and_says_so() -> None:
    """Nothing was asked for it on the token's way: the end, less the time of decoding."""
    record = {"state": "ended", "attempt": "1", "enqueued": "1000", "claim 1": "1100 mac.1.a", "ended": "3000"}
    end = Done(seq=1, reason="stop", usage=Usage(1, 9), timings=Timings(decode_ms=1_500))

    life = tell("a", "m", record, [LogEntry(1, 1, encode_event(end))])

    (first,) = [step for step in life.steps if step.what == "first_token"]
    assert (first.at_ms, first.is_about) == (1_500, True)


async def test_a_cancelled_job_that_nobody_claimed_has_a_life(lab: Labs) -> None:
    """Its end is in its log, without an attempt."""
    async with lab() as here:
        await here.worker()
        await here.submit("a")
        await here.queue.cancel("a", reason="changed my mind")

        life = await life_of(here.client, "a")

        assert steps(life) == [("queued", 0), ("cancelled", 0)]
        assert life.steps[-1].note == "changed my mind"


async def test_open_jobs_are_those_that_wait_or_run(lab: Labs) -> None:
    """Each with its class, tenant and worker; what has ended is not among them."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("r", worker)
        await here.submit("w", job_class="lo", tenant="bulk")
        await here.submit("e")
        await here.queue.cancel("e")

        jobs = {job.id: job for job in await open_jobs(here.client, "m")}

        assert set(jobs) == {"r", "w"}
        assert (jobs["r"].state, jobs["r"].worker, jobs["r"].attempt) == ("running", worker.worker_id, 1)
        assert (jobs["w"].state, jobs["w"].job_class, jobs["w"].tenant) == ("waiting", "lo", "bulk")
        assert len(await open_jobs(here.client, "m", most=1)) == 1


async def test_a_worker_hears_with_its_next_beat_that_it_is_to_leave(lab: Labs) -> None:
    """And one that is gone leaves no key behind, however late it is asked."""
    async with lab() as here:
        worker = await here.worker()

        await here.queue.ask_to_drain(worker.worker_id)
        await here.queue.ask_to_drain("mac.1.gone")

        assert await worker.beat({}) == "drain"
        assert 0 < await here.redis("PTTL", here.keys.worker("mac.1.gone")) <= 10_000
        assert await here.redis("PTTL", here.keys.worker(worker.worker_id)) <= 10_000
