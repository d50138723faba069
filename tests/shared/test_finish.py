"""Finish: the one end of a job, and its leaving the queue, in one step."""

import pytest

from shared.claims import Ending, Row
from shared.event import Cancelled, Done, encode_event

from .conftest import Lab, Labs, done, started, token


async def _pending(here: Lab) -> int:
    return (await here.queue.survey()).running


async def test_the_last_events_and_the_end_are_one_step(lab: Labs) -> None:
    """The log has its end, the entry is gone, nothing is pending, and no deadline is left."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        answer = await worker.finish(Row("one", 1, 1, [started(1, 1), token(2), done(3)]), "done")

        assert answer == ("ok", 3)
        assert isinstance(await here.last("one"), Done)
        assert await here.redis("XLEN", here.keys.jobs("std")) == 0
        assert await _pending(here) == 0
        assert await here.redis("ZCARD", f"{here.keys.prefix}:deadlines") == 0


async def test_a_finish_that_is_repeated_changes_nothing(lab: Labs) -> None:
    """Its reply was lost: the same call again is answered the same, and the log has one end."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        row = Row("one", 1, 1, [started(1, 1), done(2)])
        first = await worker.finish(row, "done")

        assert await worker.finish(row, "done") == first

        assert len(await here.events("one")) == 2


async def test_a_finish_beyond_a_gap_is_refused(lab: Labs) -> None:
    """No log ends behind a hole: the worker tells what is missing first."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        answer = await worker.finish(Row("one", 1, 3, [done(3)]), "done")

        assert answer == ("gap", 0)
        assert await here.state("one") == "running"


@pytest.mark.parametrize("seq", [2, 4])
async def test_no_job_ends_without_an_end_in_its_log(lab: Labs, seq: int) -> None:
    """An end whose number is logged already would be left out of the log: it is refused, and the job goes on."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker, tokens=3)

        answer = await worker.finish(Row("one", 1, seq, [done(seq)]), "done")

        assert answer == ("fenced", 4)
        assert await here.state("one") == "running"
        assert len(await here.events("one")) == 4


async def test_only_the_owner_of_the_attempt_can_finish(lab: Labs) -> None:
    """A zombie's end must not end its successor's stream."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.running("one", first)
        await first.release("one", 1)
        await here.claim_one(second)

        stale = await first.finish(Row("one", 1, 1, [done(1)]), "done")
        stranger = await first.finish(Row("one", 2, 1, [done(1)]), "done")

        assert (stale[0], stranger[0]) == ("fenced", "fenced")
        assert await here.state("one") == "running"


async def test_a_worker_that_took_its_own_job_again_cannot_finish_its_first_attempt(lab: Labs) -> None:
    """The owner is the same, the attempt is not: what is on its way from before must not cut the stream."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.release("one", 1)
        await here.claim_one(worker)

        answer = await worker.finish(Row("one", 1, 1, [done(1)]), "done")

        assert answer == ("fenced", 0)
        assert await here.state("one") == "running"


async def test_an_older_attempt_is_not_told_that_its_end_is_the_one(lab: Labs) -> None:
    """A zombie that comes after its successor's end has ended nothing, and counts nothing."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.running("one", first)
        await first.release("one", 1)
        await here.claim_one(second)
        await second.finish(Row("one", 2, 1, [done(1)]), "done")

        assert await first.finish(Row("one", 1, 1, [done(1)]), "done") == ("fenced", 1)


async def test_a_job_without_a_record_is_gone(lab: Labs) -> None:
    """Redis lost it: the worker lets it go."""
    async with lab() as here:
        worker = await here.worker()

        assert await worker.finish(Row("never", 1, 1, [done(1)]), "done") == ("gone", 0)


@pytest.mark.parametrize("ending", ["done", "error", "cancelled"])
async def test_every_ending_stands_in_the_record(lab: Labs, ending: Ending) -> None:
    """Who peeks at a job knows how it ended without reading its log."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.queue.cancel("one")

        await worker.finish(Row("one", 1, 1, [done(1)]), ending)

        record = await here.record("one")
        assert (record["state"], record["ending"]) == ("ended", ending)
        assert "owner" not in record


async def test_a_cancel_that_was_withdrawn_meanwhile_sends_the_job_back(lab: Labs) -> None:
    """The worker stopped because nobody listened; now somebody does, so the job goes on where it was."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.running("one", first, tokens=2)
        await here.queue.cancel("one", reason="unheard", if_unheard=True)
        await here.submit("one")

        answer = await first.finish(Row("one", 1, 4, [encode_event(Cancelled(seq=4, reason="unheard"))]), "cancelled")

        assert answer == ("back", 3)
        assert (await here.claim_one(second)).seq == 3


async def test_several_jobs_end_in_one_round_trip(lab: Labs) -> None:
    """Each gets its own answer, also when the server has just forgotten its scripts."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.running("two", worker)
        await here.redis("SCRIPT", "FLUSH")

        answers = await worker.finish_each(
            [(Row("one", 1, 1, [done(1)]), "done"), (Row("two", 1, 2, [done(2)]), "done")]
        )

        assert answers == [("ok", 1), ("gap", 0)]
