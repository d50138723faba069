"""Claim: who gets which job, and that nobody gets one twice."""

import asyncio
from collections import Counter

import pytest

from shared.claims import Claims, Doorbell, LeaseLost, Row
from shared.event import Cancelled, Error
from tests.claiming import claim

from .conftest import BODY, HOUR_MS, Lab, Labs, started, token


async def test_a_claim_is_the_next_attempt_with_all_a_worker_needs(lab: Labs) -> None:
    """One call grants the attempt and tells body, deadline, and how much is logged already."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", tenant="t", trace="00-aa-bb-01")

        claimed = await here.claim_one(worker)

        assert (claimed.id, claimed.attempt, claimed.body, claimed.seq) == ("one", 1, BODY, 0)
        assert (claimed.tenant, claimed.trace) == ("t", "00-aa-bb-01")
        assert claimed.enqueued_at_ms <= claimed.now_ms < claimed.deadline_ms
        record = await here.record("one")
        assert (record["state"], record["owner"], record["attempt"]) == ("running", worker.worker_id, "1")


async def test_a_claim_tells_what_the_job_found_waiting(lab: Labs) -> None:
    """By class, as it was when it came, those of its own call counted; a direct job was counted by nobody."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", job_class="lo")
        await here.submit("b", "c")
        await here.submit("d", job_class="hi")
        await here.xadd(body=BODY)

        claimed = await here.claim(worker, 5)

        found = {job.id: job.found for job in claimed}
        assert {name: found.pop(name) for name in "abcd"} == {
            "a": (0, 0, 0, 0, 0),
            "b": (0, 0, 0, 1, 0),
            "c": (0, 0, 1, 1, 0),
            "d": (0, 0, 2, 1, 0),
        }
        assert list(found.values()) == [()]


@pytest.mark.parametrize("free", [0, 1, 3, 7, 20])
async def test_a_claim_takes_exactly_what_is_free(lab: Labs, free: int) -> None:
    """A worker never holds more jobs than it has slots, however many classes have entries."""
    async with lab() as here:
        worker = await here.worker()
        for job_class in ("hi", "std", "lo"):
            await here.submit(*(f"{job_class}{n}" for n in range(4)), job_class=job_class)

        claimed = await here.claim(worker, free)

        assert len(claimed) == min(free, 12)
        assert (await here.queue.survey()).running == len(claimed)


async def test_two_workers_never_get_the_same_job(lab: Labs) -> None:
    """Claims from many connections at once share the jobs out: each job once, none left."""
    async with lab() as here:
        ids = [f"j{n}" for n in range(60)]
        await here.submit(*ids)
        workers = [await here.worker() for _ in range(4)]

        async def work(worker: Claims) -> list[str]:
            taken: list[str] = []
            while (await worker.look()).waiting:
                taken += [job.id for job in await claim(worker, 3)]
            return taken

        shares = await asyncio.gather(*(work(worker) for worker in workers))

        assert sorted(job_id for share in shares for job_id in share) == sorted(ids)


async def test_classes_share_the_slots_eight_to_three_to_one(lab: Labs) -> None:
    """With all classes waiting, twelve claims are eight hi, three std and one lo: none starves."""
    async with lab() as here:
        worker = await here.worker()
        for job_class in ("hi", "std", "lo"):
            await here.submit(*(f"{job_class}-{n}" for n in range(24)), job_class=job_class)

        claimed = await here.claim(worker, 24)

        assert Counter(job.id.partition("-")[0] for job in claimed) == {"hi": 16, "std": 6, "lo": 2}


async def test_a_class_alone_gets_every_slot(lab: Labs) -> None:
    """Shares are for when others wait; low-priority work runs at full speed on an idle pool."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit(*(f"j{n}" for n in range(12)), job_class="lo")

        claimed = await here.claim(worker, 12)

        assert [job.id for job in claimed] == [f"j{n}" for n in range(12)]


async def test_jobs_given_back_come_first(lab: Labs) -> None:
    """A stream that stands still has a client waiting in mid-sentence: it goes before everything new."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.running("given-back", first)
        await here.submit("urgent", job_class="hi")
        await first.release("given-back", 1)

        claimed = await here.claim(second, 2)

        assert [job.id for job in claimed] == ["given-back", "urgent"]


async def test_no_lease_no_job(lab: Labs) -> None:
    """A worker that reapers have buried learns of it, and gets nothing."""
    async with lab() as here:
        worker = await here.worker()
        await here.bury(worker)
        await here.submit("one")

        with pytest.raises(LeaseLost):
            await worker.look()

        assert await here.waiting() == {"std": 1}


async def test_a_lease_that_ended_unseen_takes_nothing_and_loses_nothing(lab: Labs) -> None:
    """After Redis stood still, a worker that nobody buried keeps its jobs; it claims again once it has beaten."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("mine", worker)
        await here.submit("next")
        await here.let_lease_end(worker)

        late = await here.claim(worker)
        await worker.beat({})
        renewed = await here.claim(worker)

        assert late == []
        assert [job.id for job in renewed] == ["next"]
        assert (await worker.append([Row("mine", 1, 1, [started(1, 1)])]))[0].verdict == "ok"


async def test_a_lease_that_never_was_is_no_lease(lab: Labs) -> None:
    """A name that did not register cannot take jobs."""
    async with lab() as here:
        await here.submit("one")

        with pytest.raises(LeaseLost):
            await Claims(here.client, "m", "mac.1.ghost", host="mac").look()


async def test_a_lease_that_ends_after_the_look_takes_nothing(lab: Labs) -> None:
    """Between a look and a take the lease may end, or its worker be buried: then the job is for somebody else."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one")
        entries = [job.entry for job in (await worker.look()).waiting]

        await here.let_lease_end(worker)
        assert await worker.take(entries) == []
        await here.tick()
        with pytest.raises(LeaseLost):
            await worker.take(entries)

        assert await here.waiting() == {"std": 1}


async def test_a_later_attempt_knows_how_far_the_log_is(lab: Labs) -> None:
    """The next worker goes on behind the last logged event, under a higher attempt."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.running("one", first, tokens=3)
        await here.bury(first)

        claimed = await here.claim_one(second)

        assert (claimed.attempt, claimed.seq) == (2, 4)
        assert await second.read_events("one") == [started(1, 1), token(2), token(3), token(4)]


async def test_a_cancelled_job_that_went_back_never_runs(lab: Labs) -> None:
    """The cancel was asked of a worker that died: the job ends in the moment in which it would wait again."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker, tokens=1)
        await here.queue.cancel("one")

        await here.bury(worker)

        assert isinstance(await here.last("one"), Cancelled)
        assert await here.claim(await here.worker()) == []


async def test_a_job_whose_deadline_passed_is_ended_instead_of_run(lab: Labs) -> None:
    """Nobody waits for it any more, so no slot is spent on it, with no reaper in sight."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("late", "in-time")
        await here.let_deadline_pass("late")

        claimed = await here.claim(worker, 2)

        assert [job.id for job in claimed] == ["in-time"]
        error = await here.last("late")
        assert isinstance(error, Error)
        assert error.code == "deadline_exceeded"


async def test_an_attached_job_that_nobody_has_heard_for_long_is_ended_instead_of_run(lab: Labs) -> None:
    """Its gateway died while it waited: no slot is spent on an answer without a reader."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("orphan", attached=True)
        await here.redis("HSET", here.keys.job("orphan"), "unheard", await here.now_ms() - 31_000)

        assert await here.claim(worker) == []

        assert await here.last("orphan") == Cancelled(seq=1, reason="unheard")


async def test_an_attached_job_that_is_heard_again_is_run(lab: Labs) -> None:
    """Its client came back after a long while, just before a worker had a slot: what the record says is out of date."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", attached=True)
        await here.redis("HSET", here.keys.job("one"), "unheard", 1)

        async with here.subscribed(here.keys.channel("one")):
            claimed = await here.claim(worker)

        assert [job.id for job in claimed] == ["one"]


async def test_a_job_handed_over_is_not_taken_by_the_host_that_gave_it(lab: Labs) -> None:
    """It did not fit there, or that machine drains: while another host lives, that one takes it."""
    async with lab() as here:
        giver, same_host, other = await here.worker("mac1"), await here.worker("mac1"), await here.worker("mac2")
        await here.running("one", giver)
        await giver.release("one", 1, not_on="mac1")

        assert await here.claim(same_host) == []
        assert (await here.claim_one(other)).attempt == 2


async def test_a_job_handed_over_keeps_its_class(lab: Labs) -> None:
    """It comes back first, and is bulk work all the same: in the engine its prompt steps aside. By plain XADD, too."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", job_class="lo")
        direct = await here.xadd("lo", body=BODY)

        first = await here.claim(worker, 2)
        for job in first:
            await worker.release(job.id, 1)
        again = await here.claim(worker, 2)

        assert {job.id for job in again} == {"one", direct}
        assert [job.entry[:3] for job in again] == ["re:", "re:"]
        assert [(job.job_class, job.steps_aside) for job in [*first, *again]] == [("lo", True)] * 4


async def test_a_job_handed_over_comes_back_when_there_is_no_other_host(lab: Labs) -> None:
    """A wish must not strand a job: the only machine takes it again at once."""
    async with lab() as here:
        giver = await here.worker("mac1")
        await here.running("one", giver)
        await giver.release("one", 1, not_on="mac1")

        assert (await here.claim_one(await here.worker("mac1"))).attempt == 2


async def _age_given_back(here: Lab, job_id: str, *, by_ms: int = HOUR_MS) -> None:
    """Make an entry of `re` old: ids are times, so it is written anew under an old one."""
    old = f"{await here.now_ms() - by_ms}-1"
    stream = here.keys.jobs("re")
    entries: list[tuple[bytes, dict[bytes, bytes]]] = await here.redis("XRANGE", stream, "-", "+")
    await here.redis("DEL", stream)
    await here.redis("XADD", stream, old, *(word for pair in entries[0][1].items() for word in pair))
    await here.redis("XGROUP", "CREATE", stream, "workers", 0)
    await here.redis("HSET", here.keys.job(job_id), "entry", f"re:{old}")


async def test_a_job_handed_over_waits_five_seconds_for_another_host_at_most(lab: Labs) -> None:
    """The other hosts are full: rather the same machine than no machine."""
    async with lab() as here:
        giver, same_host = await here.worker("mac1"), await here.worker("mac1")
        await here.worker("mac2")
        await here.running("one", giver)
        await giver.release("one", 1, not_on="mac1")
        await _age_given_back(here, "one")

        assert (await here.claim_one(same_host)).attempt == 2


@pytest.mark.parametrize(
    ("told", "waits"),
    [({"state": "loading"}, True), ({"state": "standby", "coming": 1}, True), ({"state": "standby"}, False)],
)
async def test_it_waits_longer_for_a_host_that_will_be_ready_soon(
    lab: Labs, told: dict[str, str | int | float], *, waits: bool
) -> None:
    """One that loads the model for it, or makes room; one that merely could is waited for as long as any other."""
    async with lab() as here:
        giver, other = await here.worker("mac1"), await here.worker("mac2")
        await other.beat(told)
        await here.running("one", giver)
        await giver.release("one", 1, not_on="mac1")
        at_once = await here.claim(giver)
        await _age_given_back(here, "one", by_ms=10_000)

        assert (await other.look()).waiting[0].not_on == "mac1"
        assert at_once == []
        assert [job.id for job in await here.claim(giver)] == ([] if waits else ["one"])


async def test_it_does_not_wait_for_ever_for_a_host_that_loads(lab: Labs) -> None:
    """A download may take an hour: after half a minute the same machine is better than none."""
    async with lab() as here:
        giver, other = await here.worker("mac1"), await here.worker("mac2")
        await other.beat({"state": "loading"})
        await here.running("one", giver)
        await giver.release("one", 1, not_on="mac1")
        await _age_given_back(here, "one", by_ms=31_000)

        assert (await here.claim_one(giver)).attempt == 2


async def test_a_worker_is_no_other_to_itself(lab: Labs) -> None:
    """Who is alone with its free slots leaves nothing to anybody."""
    async with lab() as here:
        worker = await here.worker()
        await worker.beat({"state": "ready", "slots": 4, "busy": 0})

        assert not (await worker.look()).another_is_free


async def test_a_suspect_runs_only_on_a_worker_that_holds_nothing(lab: Labs) -> None:
    """A job that may kill its engine takes no neighbours along."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("bad")
        for attempt in (1, 2, 3):
            await here.claim_one(worker)
            await worker.release("bad", attempt)
        await here.submit("good-1", "good-2")

        beside_another = await here.claim(worker, 8, held=1)
        alone = await here.claim(worker, 8, held=0)

        assert [job.id for job in beside_another] == ["good-1", "good-2"]
        assert [(job.id, job.is_suspect) for job in alone] == [("bad", True)]


async def test_nothing_to_claim_says_where_to_wait(lab: Labs) -> None:
    """The ids are those that the claim saw, so an entry that comes between claim and wait rings the bell."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        window = await worker.look()
        await here.submit("two")

        assert not window.waiting
        assert await Doorbell(here.client, "m").wait(window.behind, 1_000)


async def test_the_bell_is_silent_when_nothing_comes(lab: Labs) -> None:
    """What was there before the claim does not ring, or an idle worker would never rest."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        window = await worker.look()

        assert not await Doorbell(here.client, "m").wait(window.behind, 20)


async def test_a_heap_of_broken_entries_does_not_hide_the_good_one_behind_it(lab: Labs) -> None:
    """A call clears a bounded amount away; the bell rings at once while more is there, so claims go on."""
    async with lab() as here:
        worker = await here.worker()
        await asyncio.gather(*(here.xadd(nothing="in it") for _ in range(150)))
        good = await here.xadd(body=BODY)

        looks = [await worker.look()]
        while not looks[-1].waiting and len(looks) < 4:
            assert await Doorbell(here.client, "m").wait(looks[-1].behind, 1_000)
            looks.append(await worker.look())

        assert len(looks) == 3
        assert [job.id for job in await worker.take([looks[-1].waiting[0].entry])] == [good]


async def test_a_spare_job_is_taken_for_one_that_is_gone_and_for_no_other(lab: Labs) -> None:
    """Who was second gets as many as it wanted, of what it has seen, without a second look."""
    async with lab() as here:
        first, second = await here.worker("a"), await here.worker("b")
        for name in ("one", "two", "three", "four"):
            await here.submit(name)
        entries = [job.entry for job in sorted((await second.look()).waiting)]

        await first.take(entries[:1])
        taken = await second.take(entries[:2], spare=entries[2:])

        assert [job.id for job in taken] == ["two", "three"]
        assert [job.entry for job in (await first.look()).waiting] == entries[3:]


async def test_a_busy_reader_leaves_a_job_to_a_worker_with_a_free_slot(lab: Labs) -> None:
    """A job behind a long prefill would wait while another worker stands idle; where none does, it is taken."""
    async with lab() as here:
        reader, idle = await here.worker("a"), await here.worker("b")
        await idle.beat({"state": "ready", "slots": 4, "busy": 3, "reads_per_second": 850})
        await here.submit("one")

        while_free = await reader.look()
        await idle.beat({"state": "ready", "slots": 4, "busy": 4})
        while_busy = await reader.look()

        assert (while_free.another_is_free, while_busy.another_is_free) == (True, False)
        assert (while_free.others_read_per_s, while_busy.others_read_per_s) == (850, 0)


async def test_a_worker_short_of_memory_is_not_waited_for(lab: Labs) -> None:
    """It may have free slots and yield as well: two that wait for each other would leave the job to nobody."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await other.beat({"state": "ready", "slots": 4, "busy": 0, "pressure": "soft"})
        await here.submit("one")

        assert not (await one.look()).another_is_free
