"""The one way back: drain, death, lost replies and crashes all make a running job wait again, first in line."""

import pytest

from shared.claims import Claims, Row
from shared.event import Error

from .conftest import BODY, Lab, Labs, started, token


async def test_a_released_job_waits_first_in_line_with_all_it_had(lab: Labs) -> None:
    """Id, body, class and absolute deadline go with it; so does what was logged."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        claimed = await here.running("one", first, tokens=2)

        await first.release("one", 1)
        again = await here.claim_one(second)

        assert again.entry.startswith("re:")
        assert (again.id, again.attempt, again.body, again.seq) == ("one", 2, BODY, 3)
        assert again.deadline_ms == claimed.deadline_ms
        assert again.enqueued_at_ms == claimed.enqueued_at_ms


async def test_a_job_goes_back_once_however_often_it_is_said(lab: Labs) -> None:
    """A release whose reply was lost, said again, finds itself fenced: there is one entry."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        for _ in range(3):
            await worker.release("one", 1)
            await worker.fail([("one", 1, 16)])

        assert await here.waiting() == {"re": 1}


async def test_what_is_said_of_an_earlier_attempt_leaves_the_later_one_alone(lab: Labs) -> None:
    """The worker took its own job again: a release or a death from before must not end what streams now."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.release("one", 1)
        await here.claim_one(worker)

        await worker.release("one", 1)
        await worker.fail([("one", 1, 16)])

        record = await here.record("one")
        assert (record["state"], record["attempt"]) == ("running", "2")


async def test_an_engines_death_gives_its_whole_batch_back_at_once(lab: Labs) -> None:
    """All of them in one call, the ones that are no longer mine left alone."""
    async with lab() as here:
        worker = await here.worker()
        for name in ("a", "b", "c"):
            await here.running(name, worker, tokens=1)
        await worker.release("b", 1)
        taken = await here.claim_one(await here.worker())

        await worker.fail([("a", 1, 16), ("b", 1, 16), ("c", 1, 16)])

        assert taken.id == "b"
        assert await here.state("b") == "running"
        assert await here.waiting() == {"re": 2}


async def test_a_job_given_back_keeps_its_place_when_its_first_entry_is_gone(lab: Labs) -> None:
    """Somebody erased the stream: the job ends in an error that says so, never in silence."""
    async with lab() as here:
        worker = await here.worker()
        claimed = await here.running("one", worker)
        await here.redis("XDEL", here.keys.jobs("std"), claimed.entry.partition(":")[2])

        await worker.release("one", 1)

        error = await here.last("one")
        assert isinstance(error, Error)
        assert error.code == "stream_lost"


async def _end_barren(here: Lab, worker: Claims, attempts: int) -> None:
    for _ in range(attempts):
        claimed = await here.claim_one(worker)
        await worker.append([Row(claimed.id, claimed.attempt, claimed.seq + 1, [started(claimed.seq + 1, 1)])])
        await worker.release(claimed.id, claimed.attempt)


async def test_three_attempts_without_a_token_make_a_suspect(lab: Labs) -> None:
    """Something about this job may kill engines: from now on it runs alone. That an attempt began is no token."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("bad")

        await _end_barren(here, worker, 2)
        before = await here.waiting()
        await _end_barren(here, worker, 1)

        assert (before, await here.waiting()) == ({"re": 1}, {"sus": 1})


async def test_five_attempts_without_a_token_end_in_a_dead_letter(lab: Labs) -> None:
    """Poison stops: its reader gets an error, its operator the job."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("bad")

        await _end_barren(here, worker, 5)

        error = await here.last("bad")
        assert isinstance(error, Error)
        assert error.code == "poisoned"
        assert await here.waiting() == {}
        ((_, letter),) = await here.redis("XRANGE", here.keys.dead, "-", "+")
        assert (letter[b"id"], letter[b"why"], letter[b"body"]) == (b"bad", b"poisoned", BODY)


async def test_a_job_that_gets_on_is_never_suspected(lab: Labs) -> None:
    """An innocent neighbour of poison, or a job on a sick machine, has tokens to show for each attempt."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("good")

        for _ in range(8):
            claimed = await here.claim_one(worker)
            seq = claimed.seq + 1
            events = [started(seq, claimed.attempt), token(seq + 1)]
            await worker.append([Row("good", claimed.attempt, seq, events)])
            await worker.fail([("good", claimed.attempt, 16)])

        assert await here.waiting() == {"re": 1}
        assert len(await here.events("good")) == 16


async def test_a_suspect_that_gets_on_is_cleared(lab: Labs) -> None:
    """It was its company, not itself: the next time it goes back as any other job."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("cleared")
        await _end_barren(here, worker, 3)

        claimed = await here.claim_one(worker)
        seq = claimed.seq + 1
        await worker.append([Row("cleared", claimed.attempt, seq, [started(seq, 4), token(seq + 1)])])
        await worker.fail([("cleared", claimed.attempt, 16)])

        assert claimed.is_suspect
        assert await here.waiting() == {"re": 1}


async def test_a_job_that_no_worker_has_room_for_is_refused_at_last(lab: Labs) -> None:
    """Three machines handed it back without a token: it does not fit, and its reader is told."""
    async with lab() as here:
        hosts = [await here.worker(f"mac{n}") for n in range(3)]
        await here.submit("huge")

        for n, worker in enumerate(hosts):
            claimed = await here.claim_one(worker)
            await worker.release("huge", claimed.attempt, not_on=f"mac{n}", has_no_room=True)

        error = await here.last("huge")
        assert isinstance(error, Error)
        assert error.code == "does_not_fit"


async def test_a_job_that_starts_and_gets_no_further_fits_nowhere(lab: Labs) -> None:
    """That an attempt began is no token: three of them without room are three."""
    async with lab() as here:
        await here.submit("huge")

        for n in range(3):
            worker = await here.worker(f"mac{n}")
            claimed = await here.claim_one(worker)
            seq = claimed.seq + 1
            await worker.append([Row("huge", claimed.attempt, seq, [started(seq, claimed.attempt)])])
            await worker.release("huge", claimed.attempt, not_on=f"mac{n}", has_no_room=True)

        error = await here.last("huge")
        assert isinstance(error, Error)
        assert error.code == "does_not_fit"


async def test_a_job_that_got_on_is_given_all_its_tries_again(lab: Labs) -> None:
    """Want of room counts without a token in between: a long answer that moves now and then is not cut off."""
    async with lab() as here:
        await here.submit("long")

        for n in range(5):
            worker = await here.worker(f"mac{n}")
            claimed = await here.claim_one(worker)
            if n == 2:
                seq = claimed.seq + 1
                await worker.append([Row("long", claimed.attempt, seq, [started(seq, 3), token(seq + 1)])])
            await worker.release("long", claimed.attempt, not_on=f"mac{n}", has_no_room=True)

        assert await here.state("long") == "waiting"


async def test_a_job_without_room_is_no_poison(lab: Labs) -> None:
    """Three times others were in its way, so it ran alone; when there is no room even then, the error says that."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("huge")
        for attempt in (1, 2, 3):
            await here.claim_one(worker)
            await worker.release("huge", attempt)

        for attempt in (4, 5):
            assert (await here.claim_one(worker)).is_suspect
            await worker.release("huge", attempt, has_no_room=True)

        error = await here.last("huge")
        assert isinstance(error, Error)
        assert error.code == "does_not_fit"
        assert await here.redis("XLEN", here.keys.dead) == 0


async def test_a_claim_whose_reply_was_lost_comes_back(lab: Labs) -> None:
    """The worker does not hold what was delivered to it two seconds ago, so it is nobody's."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("lost", "held")
        lost, held = await here.claim(worker, 2)
        await _make_old(here, worker, lost.entry, held.entry)

        assert await worker.mine([held.entry]) == 1

        assert await here.state("held") == "running"
        assert (await here.claim_one(await here.worker())).attempt == 2


async def test_a_claim_whose_reply_may_still_come_is_left_alone(lab: Labs) -> None:
    """An entry delivered a moment ago is on its way, not lost."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        assert await worker.mine([]) == 0

        assert await here.state("one") == "running"


async def test_a_lost_claim_is_found_behind_any_number_of_held_ones(lab: Labs) -> None:
    """A worker with many slots must not look at the oldest hundred only."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit(*(f"j{n}" for n in range(251)))
        claimed = await here.claim(worker, 251)
        *held, lost = (job.entry for job in claimed)
        await _make_old(here, worker, *held, lost)

        assert await worker.mine(held) == 1

        assert await here.state("j250") == "waiting"


async def _make_old(here: Lab, worker: Claims, *entries: str) -> None:
    """Let entries have been delivered three seconds ago."""
    ids = [entry.partition(":")[2] for entry in entries]
    stream = here.keys.jobs("std")
    await here.redis("XCLAIM", stream, "workers", worker.worker_id, 0, *ids, "IDLE", 3_000)


@pytest.mark.parametrize("job_class", ["hi", "std", "lo"])
async def test_a_job_keeps_its_class_on_the_way(lab: Labs, job_class: str) -> None:
    """What it was submitted as stands in its record after any number of ways back."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", job_class=job_class)
        claimed = await here.claim_one(worker)

        await worker.release("one", claimed.attempt)

        assert (await here.record("one"))["class"] == job_class


async def test_a_job_that_went_back_keeps_its_class_and_deadline_without_its_record(lab: Labs) -> None:
    """Its entry carries both: what Redis lost of the record gives it no new day, and no other class."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", job_class="hi")
        claimed = await here.claim_one(worker)
        await worker.release("one", claimed.attempt)
        await here.redis("DEL", here.keys.job("one"))

        again = await here.claim_one(worker)

        assert again.deadline_ms == claimed.deadline_ms
        assert (await here.record("one"))["class"] == "hi"


async def test_only_the_last_host_is_kept_from_a_job(lab: Labs) -> None:
    """Who handed it over earlier may have it again, when the next one gives it back to anybody."""
    async with lab() as here:
        one, other = await here.worker("one"), await here.worker("other")
        await here.running("job", one)
        await one.release("job", 1, not_on="one")
        await here.claim_one(other)
        await other.release("job", 2)

        assert (await here.claim_one(one)).attempt == 3


async def test_a_drain_says_nothing_of_the_job(lab: Labs) -> None:
    """However often a rolling restart hands it over before its first token, it is not one that fits nowhere."""
    async with lab() as here:
        await here.submit("unlucky")

        for n in range(4):
            worker = await here.worker(f"mac{n}")
            claimed = await here.claim_one(worker)
            await worker.release("unlucky", claimed.attempt, not_on=f"mac{n}")

        assert await here.state("unlucky") == "waiting"
