"""Cancel: at once for what waits, through its worker for what runs, in any state harmless."""

from shared.claims import Row
from shared.event import Cancelled

from .conftest import BODY, Labs, done


async def test_a_cancelled_waiting_job_never_runs(lab: Labs) -> None:
    """It ends in the same step in which its entry goes; no worker ever sees it."""
    async with lab() as here:
        await here.submit("one")

        assert await here.queue.cancel("one") == "cancelled"

        assert await here.events("one") == [Cancelled(seq=1)]
        assert await here.claim(await here.worker()) == []
        assert await here.redis("XLEN", here.keys.jobs("std")) == 0


async def test_a_cancelled_running_job_is_flagged_for_its_worker(lab: Labs) -> None:
    """Only its owner can stop the engine; until then its tokens still land."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker, tokens=1)

        assert await here.queue.cancel("one") == "flagged"

        (verdict,) = await worker.append([Row("one", 1, 3, [])])
        assert verdict.asked == "cancelled"
        assert await here.state("one") == "running"


async def test_cancelling_again_changes_nothing(lab: Labs) -> None:
    """A DELETE may be repeated: the answer tells the state, the log has one end."""
    async with lab() as here:
        await here.submit("one")
        await here.queue.cancel("one")

        assert await here.queue.cancel("one") == "ended"

        assert len(await here.events("one")) == 1


async def test_a_finished_job_stays_as_it_ended(lab: Labs) -> None:
    """A cancel that comes too late takes nothing back."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.finish(Row("one", 1, 1, [done(1)]), "done")

        assert await here.queue.cancel("one") == "ended"

        assert (await here.record("one"))["ending"] == "done"


async def test_an_unknown_job_is_unknown(lab: Labs) -> None:
    """No id, however odd, is an error or makes a key."""
    async with lab() as here:
        odd = ["nothing", "std-1-1", "std-99999999999999999999999-1", "re-1-1", "../x", ""]

        assert {await here.queue.cancel(each) for each in odd} == {"unknown"}

        assert await here.redis("KEYS", "*") == []


async def test_a_job_that_somebody_hears_is_not_cancelled_as_unheard(lab: Labs) -> None:
    """The last client of one gateway left, but another gateway has one: the job goes on."""
    async with lab() as here:
        await here.submit("one", attached=True)

        async with here.subscribed(here.keys.channel("one")) as other:
            heard = await here.queue.cancel("one", reason="unheard", if_unheard=True)
            await other.say("UNSUBSCRIBE")
            unheard = await here.queue.cancel("one", reason="unheard", if_unheard=True)

        assert (heard, unheard) == ("heard", "cancelled")


async def test_a_clients_cancel_takes_the_place_of_an_unheard_one(lab: Labs) -> None:
    """Who listens again could withdraw the one, and must not withdraw the other."""
    async with lab() as here:
        await here.running("one", await here.worker())
        await here.queue.cancel("one", reason="unheard", if_unheard=True)

        await here.queue.cancel("one")
        await here.submit("one")

        assert (await here.record("one"))["cancel"] == "cancelled"


async def test_an_entry_with_an_id_of_its_own_has_no_default_id(lab: Labs) -> None:
    """One entry is one job: a cancel by another name must not end it under that one, and leave its reader waiting."""
    async with lab() as here:
        worker = await here.worker()
        default_id = await here.xadd(id="mine", body=BODY)

        assert await here.queue.cancel(default_id) == "unknown"

        assert (await here.claim_one(worker)).id == "mine"


async def test_a_direct_job_can_be_cancelled_by_its_default_id(lab: Labs) -> None:
    """It has no record before its first claim; its id names its entry."""
    async with lab() as here:
        job_id = await here.xadd(body=BODY)

        assert await here.queue.cancel(job_id) == "cancelled"

        assert await here.events(job_id) == [Cancelled(seq=1)]
        assert await here.claim(await here.worker()) == []


async def test_one_xadd_cancels_a_job(lab: Labs) -> None:
    """Who has only plain commands writes the id into a stream, which the reapers read."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("runs", worker)
        await here.submit("waits")
        direct = await here.xadd(body=BODY)
        for each in ("runs", "waits", direct, "unknown", "not an id", ""):
            await here.redis("XADD", f"{here.keys.prefix}:cancels", "*", "id", each)

        reaped = await here.tick()

        assert reaped.ended == 2
        assert await here.last("waits") == await here.last(direct) == Cancelled(seq=1)
        assert (await here.record("runs"))["cancel"] == "cancelled"
        assert await here.redis("XLEN", f"{here.keys.prefix}:cancels") == 0


async def test_a_direct_job_under_its_own_id_can_be_cancelled_before_its_first_claim(lab: Labs) -> None:
    """Nothing in Redis leads from such an id to its entry, so the cancel waits for the claim."""
    async with lab() as here:
        await here.worker()
        await here.xadd(body=BODY, id="mine")
        await here.redis("XADD", f"{here.keys.prefix}:cancels", "*", "id", "mine")
        await here.tick()

        assert await here.claim(await here.worker()) == []

        assert await here.events("mine") == [Cancelled(seq=1)]


async def test_a_running_jobs_worker_gets_a_hint(lab: Labs) -> None:
    """The worker need not wait for its next flush: its control channel rings at once."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        async with here.subscribed(here.keys.control(worker.worker_id)) as control:
            await here.queue.cancel("one")

            assert await control.message() == b"cancel one"


async def test_a_reason_is_told_as_it_was_given(lab: Labs) -> None:
    """Whatever stands in it, the event is one line of good JSON."""
    async with lab() as here:
        await here.submit("one")

        await here.queue.cancel("one", reason='"quoted"\n한국')

        assert await here.events("one") == [Cancelled(seq=1, reason='"quoted"\n한국')]
