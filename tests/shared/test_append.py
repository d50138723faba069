"""Append: what is logged is whole, in order, from the one attempt that may write, and logged once."""

import asyncio

import pytest

from shared.channel import Batch, parse_batch
from shared.claims import LeaseLost, Row, RowVerdict
from shared.limits import write_limits

from .conftest import Labs, started, token


async def test_events_are_logged_under_their_seq_and_attempt(lab: Labs) -> None:
    """The log's entry ids are `<seq>-<attempt>`: anybody can see who wrote what, and in which order."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)

        (verdict,) = await worker.append([Row("one", 1, 1, [started(1, 1), token(2)])])

        assert verdict == RowVerdict("ok", 2, "")
        entries = await here.redis("XRANGE", here.keys.log("one"), "-", "+")
        assert [entry for entry, _ in entries] == [b"1-1", b"2-1"]


async def test_a_replay_is_a_no_op(lab: Labs) -> None:
    """A call whose reply was lost is sent again as it is: same answer, same log, nothing published twice."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        row = Row("one", 1, 1, [started(1, 1), token(2)])
        first = await worker.append([row])

        again = await worker.append([row])

        assert again == first
        assert len(await here.events("one")) == 2


async def test_a_replay_with_more_behind_it_logs_only_what_is_new(lab: Labs) -> None:
    """The next flush may carry what the last one did: each event still stands once."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.append([Row("one", 1, 1, [started(1, 1), token(2)])])

        (verdict,) = await worker.append([Row("one", 1, 2, [token(2), token(3)])])

        assert verdict == RowVerdict("ok", 3, "")
        assert len(await here.events("one")) == 3


async def test_a_gap_is_refused_and_says_how_far_the_log_is(lab: Labs) -> None:
    """Redis lost its tail: the worker tells again from there, and no log ever has a hole."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker, tokens=1)

        (verdict,) = await worker.append([Row("one", 1, 5, [token(5)])])

        assert verdict == RowVerdict("gap", 2, "")
        assert len(await here.events("one")) == 2


async def test_what_is_logged_is_published_with_who_and_from_where(lab: Labs) -> None:
    """A listener sees attempt, worker and first seq before the events, so it can tell what it missed."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        async with here.subscribed(here.keys.channel("one")) as subscriber:
            await worker.append([Row("one", 1, 1, [started(1, 1), token(2)])])
            message = await subscriber.message()

        name = worker.worker_id.rpartition(".")[2]
        assert parse_batch(message) == Batch(1, name, 1, [started(1, 1), token(2)])


async def test_an_older_attempt_is_fenced(lab: Labs) -> None:
    """After a take-over, nothing of the attempt before can land, whatever it still sends."""
    async with lab() as here:
        first, second = await here.worker(), await here.worker()
        await here.running("one", first, tokens=1)
        await first.release("one", 1)
        await here.claim_one(second)

        (stale,) = await first.append([Row("one", 1, 3, [token(3)])])
        (fresh,) = await second.append([Row("one", 2, 3, [started(3, 2)])])

        assert (stale.verdict, fresh.verdict) == ("fenced", "ok")
        assert len(await here.events("one")) == 3


async def test_an_attempt_that_went_back_is_fenced_before_anyone_takes_it(lab: Labs) -> None:
    """The fence falls in the instant in which the job is nobody's, not when the next worker comes."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.release("one", 1)

        (verdict,) = await worker.append([Row("one", 1, 1, [started(1, 1)])])

        assert verdict.verdict == "fenced"


async def test_a_worker_that_took_its_own_job_again_cannot_write_for_its_first_attempt(lab: Labs) -> None:
    """The owner is the same, the attempt is not: what is still on its way from before must not land."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.release("one", 1)
        await here.claim_one(worker)

        (stale,) = await worker.append([Row("one", 1, 1, [started(1, 1)])])

        assert stale.verdict == "fenced"
        assert await here.events("one") == []


async def test_another_workers_name_is_fenced_under_the_right_attempt(lab: Labs) -> None:
    """An attempt has one owner: its number alone lets nobody write."""
    async with lab() as here:
        owner, other = await here.worker(), await here.worker()
        await here.running("one", owner)

        (verdict,) = await other.append([Row("one", 1, 1, [started(1, 1)])])

        assert verdict.verdict == "fenced"


async def test_a_job_that_is_gone_is_fenced(lab: Labs) -> None:
    """Its record expired or was lost: there is nothing to write to, and the worker stops."""
    async with lab() as here:
        worker = await here.worker()

        (verdict,) = await worker.append([Row("gone", 1, 1, [started(1, 1)])])

        assert verdict.verdict == "fenced"


async def test_one_bad_job_does_not_harm_the_others_of_a_flush(lab: Labs) -> None:
    """A log that can't be written is that job's misfortune: its neighbours are logged in the same call."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("bad", worker)
        await here.running("good", worker)
        await here.redis("SET", here.keys.log("bad"), "no stream", "PX", 60_000)

        verdicts = await worker.append([Row(name, 1, 1, [started(1, 1)]) for name in ("bad", "good")])

        assert [each.verdict for each in verdicts] == ["err", "ok"]
        assert len(await here.events("good")) == 1


async def test_append_renews_the_lease(lab: Labs) -> None:
    """Tokens that arrive are the best proof of life; also for a lease that ended while nobody looked."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.let_lease_end(worker)

        await worker.append([Row("one", 1, 1, [])])

        lease: bytes = await here.redis("ZSCORE", here.keys.workers, worker.worker_id)
        assert 1_500 < float(lease) - await here.now_ms() <= 2_000


async def test_a_buried_worker_is_told_so(lab: Labs) -> None:
    """It must drop all it runs and begin anew: its jobs are others' now."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.bury(worker)

        with pytest.raises(LeaseLost):
            await worker.append([Row("one", 1, 1, [token(1)])])

        assert await here.events("one") == []


@pytest.mark.parametrize("events", [[], [started(1, 1)]])
async def test_the_answer_asks_for_a_cancel(lab: Labs, events: list[bytes]) -> None:
    """Every flush names every job, so a cancel reaches its worker even when the hint was lost."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.queue.cancel("one", reason="cancelled")

        (verdict,) = await worker.append([Row("one", 1, 1, events)])

        assert verdict == RowVerdict("ok", len(events), "cancelled")


async def test_the_answer_says_that_the_deadline_passed(lab: Labs) -> None:
    """Redis's clock decides, not the worker's."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.let_deadline_pass("one")

        (verdict,) = await worker.append([Row("one", 1, 1, [])])

        assert verdict.asked == "deadline"


async def test_a_cancel_comes_before_the_deadline(lab: Labs) -> None:
    """Whoever ended the job is told that it was, also when it would have been late by then."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await here.queue.cancel("one")
        await here.let_deadline_pass("one")

        (verdict,) = await worker.append([Row("one", 1, 1, [])])

        assert verdict.asked == "cancelled"


async def test_an_attached_job_that_nobody_hears_for_long_is_to_be_ended(lab: Labs) -> None:
    """Its gateway died: the worker learns of it from its own flushes."""
    async with lab() as here:
        worker = await here.worker()
        await write_limits(here.client, "m", {"orphan_ms": 30})
        await here.submit("one", attached=True)
        await here.claim_one(worker)
        await worker.append([Row("one", 1, 1, [started(1, 1)])])
        since = int((await here.record("one"))["unheard"])
        await here.redis("HSET", here.keys.job("one"), "unheard", since - 30)

        (verdict,) = await worker.append([Row("one", 1, 2, [token(2)])])

        assert verdict.asked == "unheard"


async def test_a_job_that_somebody_hears_again_goes_on(lab: Labs) -> None:
    """A gateway that reconnects in time finds the stream alive; the grace begins anew."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", attached=True)
        await here.claim_one(worker)
        await worker.append([Row("one", 1, 1, [started(1, 1)])])

        async with here.subscribed(here.keys.channel("one")):
            await worker.append([Row("one", 1, 2, [token(2)])])

        assert (await here.record("one"))["unheard"] == "0"


async def test_a_replay_says_nothing_of_who_listens(lab: Labs) -> None:
    """It publishes nothing, so that nobody heard it does not make the job an orphan."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", attached=True)
        await here.claim_one(worker)

        async with here.subscribed(here.keys.channel("one")):
            for _ in range(2):
                await worker.append([Row("one", 1, 1, [started(1, 1)])])

        assert (await here.record("one")).get("unheard", "0") == "0"


async def test_a_clients_cancel_is_not_taken_for_an_unheard_one(lab: Labs) -> None:
    """Nobody listens after a DELETE; the job must end for good all the same, not be fit to start anew."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("one", attached=True)
        await here.claim_one(worker)
        await here.queue.cancel("one")
        await here.redis("HSET", here.keys.job("one"), "unheard", 1)

        await here.queue.cancel("one", reason="unheard", if_unheard=True)
        (verdict,) = await worker.append([Row("one", 1, 1, [started(1, 1)])])

        assert verdict.asked == "cancelled"


async def test_thirty_two_jobs_and_many_events_are_one_call(lab: Labs) -> None:
    """A full batch's flush is one round trip, and every job gets its own verdict."""
    async with lab() as here:
        worker = await here.worker()
        ids = [f"j{n}" for n in range(32)]
        await here.submit(*ids)
        assert len(await here.claim(worker, 32)) == 32

        verdicts = await worker.append([Row(each, 1, 1, [token(seq + 1) for seq in range(256)]) for each in ids])

        assert {each.verdict for each in verdicts} == {"ok"}
        assert {each.seq for each in verdicts} == {256}
        assert await here.redis("XLEN", here.keys.log("j31")) == 256


async def test_more_calls_at_once_than_connections_wait_for_one(lab: Labs) -> None:
    """The thousandth client of a gateway waits a moment; it is not told that Redis is down."""
    async with lab() as here:
        await here.submit("one")

        peeks = await asyncio.gather(*(here.queue.peek(["one"]) for _ in range(500)))

        assert all(peek[0] for peek in peeks)
