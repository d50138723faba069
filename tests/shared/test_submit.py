"""Submit: bounded, all or none, and harmless to repeat."""

import asyncio

import pytest

from shared.claims import Row
from shared.connection import connect
from shared.errors import Fault, Refused
from shared.event import Cancelled, encode_event
from shared.limits import write_limits
from shared.queue import Queue, Submission, Submitted

from .conftest import BODY, HOUR_MS, Labs


async def test_a_submitted_job_waits_in_its_class(lab: Labs) -> None:
    """What was accepted is on the queue, with a record, a deadline and nothing else."""
    async with lab() as here:
        submitted = await here.submit("one", job_class="lo")

        assert submitted == [Submitted("one", is_new=True, state="waiting")]
        assert await here.waiting() == {"lo": 1}
        assert await here.state("one") == "waiting"
        assert await here.redis("ZCARD", f"{here.keys.prefix}:deadlines") == 1


async def test_the_same_id_and_body_run_once(lab: Labs) -> None:
    """A submit whose reply was lost can be repeated: the job is there, and nothing is added."""
    async with lab() as here:
        await here.submit("one")

        again = await here.submit("one")

        assert again == [Submitted("one", is_new=False, state="waiting")]
        assert await here.waiting() == {"std": 1}


async def test_a_repeated_submit_tells_how_far_the_job_is(lab: Labs) -> None:
    """The state that a retry is told is the job's own: running, then ended."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        states = [(await here.submit("one"))[0].state]
        await here.queue.cancel("one")
        await here.bury(worker)
        states.append((await here.submit("one"))[0].state)

        assert states == ["running", "ended"]


async def test_the_same_id_with_another_body_is_refused(lab: Labs) -> None:
    """An id names one request; using it for another is the caller's mistake, and changes nothing."""
    async with lab() as here:
        await here.submit("one")

        with pytest.raises(Refused) as refused:
            await here.submit("two", "one", body=b'{"prompt":"other"}')

        assert refused.value.code == "idempotency_mismatch"
        assert await here.waiting() == {"std": 1}
        assert await here.queue.peek(["two"]) == [None]


async def test_several_jobs_are_added_all_or_none(lab: Labs) -> None:
    """A request for n answers never gets half of its jobs queued."""
    async with lab() as here:
        await write_limits(here.client, "m", {"waiting": 2})

        with pytest.raises(Refused) as refused:
            await here.submit("a", "b", "c")

        assert refused.value.code == "queue_full"
        assert await here.waiting() == {}
        assert [each.is_new for each in await here.submit("a", "b")] == [True, True]


async def test_an_id_that_one_call_names_twice_is_one_job(lab: Labs) -> None:
    """Each id at most once, also within a call: one entry, one place in the queue."""
    async with lab() as here:
        await write_limits(here.client, "m", {"waiting": 1})

        submitted = await here.submit("a", "a")

        assert [each.is_new for each in submitted] == [True, False]
        assert await here.waiting() == {"std": 1}


async def test_one_call_cannot_give_an_id_two_bodies(lab: Labs) -> None:
    """Which of the two would run is anybody's guess: neither does."""
    async with lab() as here:
        with pytest.raises(Refused) as refused:
            await here.queue.submit([Submission("a", BODY, 1_000), Submission("a", b"{}", 1_000)])

        assert refused.value.code == "idempotency_mismatch"
        assert await here.waiting() == {}


async def test_a_full_queue_says_how_full_and_when_to_come_back(lab: Labs) -> None:
    """The refusal carries what an honest 429 needs: how many wait, and since when."""
    async with lab() as here:
        await write_limits(here.client, "m", {"waiting": 1})
        await here.submit("a")

        with pytest.raises(Refused) as refused:
            await here.submit("b")

        assert refused.value.message.startswith("1 jobs wait for m")
        assert refused.value.retry_after_ms is not None
        assert refused.value.retry_after_ms >= 1_000
        assert [each.state for each in await here.submit("a")] == ["waiting"]


async def test_the_limit_holds_under_any_concurrency(lab: Labs) -> None:
    """A hundred submits at once over many connections: exactly as many get in as there is room."""
    async with lab() as here:
        await write_limits(here.client, "m", {"waiting": 10})
        gateways = [connect(here.url, name=f"gateway{n}") for n in range(4)]
        queues = [Queue(gateway, "m") for gateway in gateways]

        results = await asyncio.gather(
            *(queues[n % 4].submit([Submission(f"j{n}", BODY, HOUR_MS)]) for n in range(100)), return_exceptions=True
        )

        assert sum(isinstance(result, Refused) for result in results) == 90
        assert await here.waiting() == {"std": 10}
        for gateway in gateways:
            await gateway.aclose()


async def test_running_jobs_do_not_count_as_waiting(lab: Labs) -> None:
    """The bound is on what nobody has claimed: a busy pool still takes as many as may wait."""
    async with lab() as here:
        await write_limits(here.client, "m", {"waiting": 1})
        await here.running("a", await here.worker())

        submitted = await here.submit("b")

        assert submitted[0].is_new


async def test_jobs_put_there_directly_and_jobs_given_back_count_as_waiting(lab: Labs) -> None:
    """Every unclaimed entry takes a place, whichever way it came."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("back", worker)
        await worker.release("back", 1)
        await here.xadd(body=BODY)
        await write_limits(here.client, "m", {"waiting": 2})

        with pytest.raises(Refused) as refused:
            await here.submit("more")

        assert refused.value.code == "queue_full"


async def test_a_job_cancelled_as_unheard_starts_anew_when_it_is_wanted_again(lab: Labs) -> None:
    """A client that comes back with its id finds a running job, not the corpse of the one that nobody listened to."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", attached=True)
        await here.queue.cancel("one", reason="unheard", if_unheard=True)

        again = await here.submit("one", attached=True)

        assert again == [Submitted("one", is_new=True, state="waiting")]
        assert await here.events("one") == []
        assert (await here.claim_one(worker)).attempt == 1


async def test_a_job_that_starts_anew_goes_on_counting_its_attempts(lab: Labs) -> None:
    """What a worker still says of the attempt that was ended as unheard must not land in the new one."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.queue.cancel("one", reason="unheard", if_unheard=True)
        await worker.finish(Row("one", 1, 1, [encode_event(Cancelled(seq=1, reason="unheard"))]), "cancelled")

        await here.submit("one")

        assert (await here.claim_one(worker)).attempt == 2


async def test_a_job_that_its_client_cancelled_stays_cancelled(lab: Labs) -> None:
    """Only a cancel that nobody asked for is undone by asking again."""
    async with lab() as here:
        await here.submit("one")
        await here.queue.cancel("one")

        again = await here.submit("one")

        assert again == [Submitted("one", is_new=False, state="ended")]
        assert isinstance(await here.last("one"), Cancelled)


async def test_a_submit_withdraws_the_cancel_of_a_running_unheard_job(lab: Labs) -> None:
    """Somebody listens again before the worker heard of the cancel: the job goes on."""
    async with lab() as here:
        await here.running("one", await here.worker())
        assert await here.queue.cancel("one", reason="unheard", if_unheard=True) == "flagged"

        await here.submit("one")

        assert "cancel" not in await here.record("one")


async def test_a_submit_withdraws_no_cancel_that_was_asked_for(lab: Labs) -> None:
    """The job still runs, but its client has ended it: a retry of the submit does not bring it back."""
    async with lab() as here:
        await here.running("one", await here.worker())
        await here.queue.cancel("one")

        await here.submit("one")

        assert (await here.record("one"))["cancel"] == "cancelled"


async def test_a_refused_submit_withdraws_nothing(lab: Labs) -> None:
    """All or none goes for the cancel of a job that was known, too: who was refused does not listen."""
    async with lab() as here:
        await here.running("one", await here.worker())
        await here.queue.cancel("one", reason="unheard", if_unheard=True)
        await write_limits(here.client, "m", {"waiting": 1})

        with pytest.raises(Refused):
            await here.submit("one", "two", "three")

        assert (await here.record("one"))["cancel"] == "unheard"


async def test_a_patient_jobs_timeout_counts_from_its_first_claim(lab: Labs) -> None:
    """Waiting is not running: a background job may wait for hours and still has its whole time."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("patient", may_wait=True, timeout_ms=5_000)
        await here.submit("prompt", timeout_ms=5_000)
        waiting_until = int((await here.record("patient"))["deadline"])

        patient, prompt = await here.claim(worker, 2)

        assert waiting_until - patient.now_ms > HOUR_MS
        assert patient.deadline_ms == patient.now_ms + 5_000
        assert prompt.deadline_ms == int((await here.record("prompt"))["enqueued"]) + 5_000


async def test_a_patient_jobs_timeout_counts_once(lab: Labs) -> None:
    """A way back gives it no new time, and the reapers go by the deadline that its first claim set."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("patient", may_wait=True, timeout_ms=5_000)
        first = await here.claim_one(worker)
        since = await here.now_ms()
        while await here.now_ms() == since:
            pass  # a deadline that were set anew would be another
        await worker.release("patient", 1)

        again = await here.claim_one(worker)

        assert again.deadline_ms == first.deadline_ms
        assert float(await here.redis("ZSCORE", f"{here.keys.prefix}:deadlines", "patient")) == first.deadline_ms


async def test_a_submit_that_makes_no_sense_writes_nothing(lab: Labs) -> None:
    """The script is public: a class that nobody reads or an id that no key can bear is an error, not a lost job."""
    async with lab() as here:
        calls = [("a b", "std", 1_000), ("x" * 65, "std", 1_000), ("ok", "urgent", 1_000), ("ok", "std", 0)]

        for job_id, job_class, timeout_ms in calls:
            with pytest.raises(Fault):
                await here.submit(job_id, job_class=job_class, timeout_ms=timeout_ms)

        assert await here.redis("KEYS", "*") == []
