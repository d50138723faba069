"""A note beside a job: as old as its record, and gone with it."""

from shared.claims import Row

from .conftest import BODY, Labs, done, started


async def test_a_note_is_found_with_its_job(lab: Labs) -> None:
    """At every phase; the first one counts, however often it is kept."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", tenant="me")
        for note in (b"first", b"second"):
            await here.queue.keep("a", note)
        waiting = await here.queue.kept("a")
        await here.claim_one(worker)
        await worker.finish(Row("a", 1, 1, [started(1, 1), done(2)]), "done")
        ended = await here.queue.kept("a")

        assert waiting
        assert ended
        assert [(kept.note, kept.tenant) for kept in (waiting, ended)] == [(b"first", "me")] * 2
        assert (waiting.state, ended.state) == ("waiting", "ended")
        assert abs(await here.now_ms() - ended.enqueued_at_ms) < 60_000


async def test_nothing_is_kept_beside_no_job(lab: Labs) -> None:
    """A note never makes a record, which would have no end."""
    async with lab() as here:
        await here.queue.keep("nobody", b"note")
        await here.submit("silent")

        assert await here.queue.kept("nobody") is None
        assert await here.queue.kept("silent") is None
        assert await here.redis("EXISTS", here.keys.job("nobody")) == 0


async def test_a_forgotten_job_is_unknown(lab: Labs) -> None:
    """Whatever it was doing; it never runs, and its name is free again."""
    async with lab() as here:
        worker = await here.worker()
        running = await here.running("running", worker, tokens=2)
        await here.submit("waiting")

        told = [await here.queue.forget(each) for each in ("running", "waiting", "nobody")]
        [verdict] = await worker.append([Row("running", running.attempt, 4, [])])

        assert told == [True, True, False]
        assert verdict.verdict == "fenced"
        assert await here.queue.peek(["running", "waiting"]) == [None, None]
        assert await here.claim(worker) == []
        survey = await here.queue.survey()
        assert (survey.waiting_total, survey.running) == (0, 0)
        assert (await here.submit("waiting", body=BODY + b" "))[0].is_new


async def test_who_listens_to_a_forgotten_job_hears_its_end(lab: Labs) -> None:
    """Its log goes, the last word on its channel does not."""
    async with lab() as here:
        await here.submit("a")
        async with here.subscribed(here.keys.channel("a")) as subscriber:
            await here.queue.forget("a")

            assert b'"status":"cancelled"' in await subscriber.message()
