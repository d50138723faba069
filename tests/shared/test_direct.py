"""Jobs that come by one plain XADD: what they may say, and what becomes of a broken one."""

import pytest

from shared.claims import VERSION, Row
from shared.errors import CODES
from shared.event import Cancelled, Error
from shared.limits import write_limits

from .conftest import BODY, HOUR_MS, Lab, Labs, done, started


async def test_one_field_makes_a_job(lab: Labs) -> None:
    """`XADD … * body {…}` is all that another service has to say; class and entry id are its name."""
    async with lab() as here:
        worker = await here.worker()

        job_id = await here.xadd("lo", body=BODY)

        claimed = await here.claim_one(worker)
        assert (claimed.id, claimed.attempt, claimed.body) == (job_id, 1, BODY)


async def test_entries_that_came_before_the_first_worker_are_served(lab: Labs) -> None:
    """A producer need not wait for anybody: the group begins at the stream's begin."""
    async with lab() as here:
        job_id = await here.xadd(body=BODY)

        worker = await here.worker()

        assert (await here.claim_one(worker)).id == job_id


async def test_a_producer_may_choose_the_id(lab: Labs) -> None:
    """With an id of its own it can read the log before it has written the job."""
    async with lab() as here:
        await here.xadd(body=BODY, id="mine_1-A", tenant="t", trace="00-a-b-01")

        claimed = await here.claim_one(await here.worker())

        assert (claimed.id, claimed.tenant, claimed.trace) == ("mine_1-A", "t", "00-a-b-01")


@pytest.mark.parametrize(
    ("fields", "expected_ms"),
    [
        ({"body": BODY, "timeout_ms": "1234"}, 1_234),
        ({"body": b'{"prompt":"x","timeout_ms":2345}'}, 2_345),
        ({"body": b'{"prompt":"x","timeout_ms":2345}', "timeout_ms": "1234"}, 1_234),
        ({"body": b'{"timeout_ms": what'}, 300_000),
        ({"body": BODY}, 300_000),
    ],
)
async def test_a_direct_jobs_timeout_counts_from_its_first_claim(
    lab: Labs, fields: dict[str, bytes], expected_ms: int
) -> None:
    """The field says it, else the body, else the queue's limits."""
    async with lab() as here:
        await here.xadd(**fields)

        claimed = await here.claim_one(await here.worker())

        assert claimed.deadline_ms - claimed.now_ms == expected_ms


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({}, "missing_field", "body"),
        ({"body": BODY, "timeout_ms": "soon"}, "invalid_value", "timeout_ms"),
        ({"body": BODY, "timeout_ms": "0"}, "invalid_value", "timeout_ms"),
        ({"body": BODY, "timeout_ms": "3600001"}, "invalid_value", "timeout_ms"),
        ({"body": BODY, "timeout_ms": "nan"}, "invalid_value", "timeout_ms"),
        ({"body": BODY, "reply": "somewhere"}, "invalid_value", "reply"),
        ({"body": BODY, "reply": "pool:{other}:reply:x"}, "invalid_value", "reply"),
        ({"body": BODY, "id": "a b"}, "invalid_value", "id"),
        ({"body": BODY, "id": "x" * 65}, "invalid_value", "id"),
        ({"body": BODY, "id": ""}, "invalid_value", "id"),
        ({"body": BODY, "v": "2"}, "unsupported", "v"),
        ({"body": b"x" * 1_001}, "body_too_large", "body"),
    ],
)
async def test_a_broken_entry_ends_in_an_error_that_names_the_field(
    lab: Labs, fields: dict[str, bytes | str], code: str, param: str
) -> None:
    """It is told under the entry's default id, the entry is gone, and the next job is served in the same call."""
    async with lab() as here:
        await write_limits(here.client, "m", {"body_bytes": 1_000})
        job_id = await here.xadd(**{"x": "y"} | fields)
        good = await here.xadd(body=BODY)

        claimed = await here.claim(await here.worker(), 5)

        assert [job.id for job in claimed] == [good]
        error = await here.last(job_id)
        assert isinstance(error, Error)
        assert (error.code, error.param) == (code, param)
        assert code in CODES
        assert await here.redis("XLEN", here.keys.jobs("std")) == 1


async def test_an_id_that_is_none_is_kept_as_a_dead_letter(lab: Labs) -> None:
    """Its producer reads a log that no key can bear: an operator must be able to find out why it waits in vain."""
    async with lab() as here:
        await here.xadd(body=BODY, id="a b")

        await here.claim(await here.worker())

        ((_, letter),) = await here.redis("XRANGE", here.keys.dead, "-", "+")
        assert letter[b"why"] == b"bad id"
        assert (letter[b"id"], letter[b"body"]) == (b"a b", BODY)


async def test_a_dead_letter_is_no_longer_than_a_job(lab: Labs) -> None:
    """Broken entries of any size must not fill Redis."""
    async with lab() as here:
        await write_limits(here.client, "m", {"body_bytes": 10})
        await here.xadd(body="x" * 1_000, id="a b")

        await here.claim(await here.worker())

        ((_, letter),) = await here.redis("XRANGE", here.keys.dead, "-", "+")
        assert letter[b"body"] == b"x" * 10


async def test_a_version_that_another_worker_knows_is_left_for_it(lab: Labs) -> None:
    """While a pool is upgraded, entries of the new version wait for the workers that announce it."""
    async with lab() as here:
        old, new = await here.worker(), await here.worker()
        await new.beat({"v": 2})
        await here.xadd(body=BODY, v="2")

        assert await here.claim(old) == []

        assert await here.waiting() == {"std": 1}


async def test_a_worker_tells_which_version_it_speaks(lab: Labs) -> None:
    """Else workers of a later version would take its entries for nobody's."""
    async with lab() as here:
        worker = await here.worker()

        assert await here.redis("HGET", here.keys.worker(worker.worker_id), "v") == str(VERSION).encode()
        await here.xadd(body=BODY, v=str(VERSION))
        assert len(await here.claim(worker)) == 1


async def test_the_same_job_twice_runs_once(lab: Labs) -> None:
    """A producer whose XADD was repeated gets one generation: the second entry goes without a trace."""
    async with lab() as here:
        worker = await here.worker()
        await here.xadd(body=BODY, id="one")
        await here.xadd(body=BODY, id="one")

        assert [job.id for job in await here.claim(worker, 5)] == ["one"]

        assert await here.redis("XLEN", here.keys.jobs("std")) == 1
        assert await here.redis("XLEN", here.keys.dead) == 0


async def test_a_job_that_ended_never_runs_again(lab: Labs) -> None:
    """Its id is known as long as its log can be read."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.finish(Row("one", 1, 1, [done(1)]), "done")

        await here.xadd(body=BODY, id="one")

        assert await here.claim(worker, 5) == []
        assert len(await here.events("one")) == 1


async def test_the_same_id_with_another_body_is_a_dead_letter(lab: Labs) -> None:
    """Two requests under one id are a mistake that somebody should see; the first one runs."""
    async with lab() as here:
        worker = await here.worker()
        await here.xadd(body=BODY, id="one")
        await here.xadd(body=b'{"prompt":"other"}', id="one")

        assert [job.body for job in await here.claim(worker, 5)] == [BODY]

        ((_, letter),) = await here.redis("XRANGE", here.keys.dead, "-", "+")
        assert letter[b"why"] == b"same id, other body"
        assert letter[b"body"] == b'{"prompt":"other"}'


async def _ended_with(here: Lab, reply: str) -> Error:
    """Run a job that wants its end told in a stream of its own."""
    worker = await here.worker()
    await here.xadd(body=BODY, id="one", reply=reply)
    await here.claim_one(worker)
    await here.let_deadline_pass("one", by_ms=6_000)
    await here.tick()
    error = await here.last("one")
    assert isinstance(error, Error)
    return error


async def test_the_end_is_told_in_the_reply_stream(lab: Labs) -> None:
    """A service with many jobs blocks on one stream of its own, which gets each end with the job's id."""
    async with lab() as here:
        reply = f"{here.keys.prefix}:reply:service-1"

        await _ended_with(here, reply)

        ((_, told),) = await here.redis("XRANGE", reply, "-", "+")
        assert told[b"id"] == b"one"
        assert b"deadline_exceeded" in told[b"e"]
        assert await here.redis("PTTL", reply) > HOUR_MS


async def test_a_direct_job_that_was_seen_is_known_like_any_other(lab: Labs) -> None:
    """It ends when it has waited too long, also in the window, and counts for its tenant."""
    async with lab() as here:
        worker = await here.worker()
        job_id = await here.xadd(body=BODY, tenant="who")

        await worker.look()

        late_at = await here.redis("ZSCORE", f"{here.keys.prefix}:deadlines", job_id)
        assert float(late_at) == float((await here.record(job_id))["deadline"])
        assert await here.redis("HGETALL", f"{here.keys.prefix}:tenants") == {b"waiting who": b"1"}


async def test_a_producer_sets_no_deadline(lab: Labs) -> None:
    """That field is the pool's own, for what goes back: a producer's job waits its day, whatever it writes there."""
    async with lab() as here:
        worker = await here.worker()
        job_id = await here.xadd(body=BODY, deadline="1")

        assert (await here.claim_one(worker)).id == job_id


async def test_of_several_last_events_the_end_is_told(lab: Labs) -> None:
    """A short answer's events come with its end in one call: the reply stream gets the end, not the first of them."""
    async with lab() as here:
        worker = await here.worker()
        reply = f"{here.keys.prefix}:reply:service-1"
        await here.xadd(id="one", body=BODY, reply=reply)
        await here.claim_one(worker)

        await worker.finish(Row("one", 1, 1, [started(1, 1), done(2)]), "done")

        ((_, told),) = await here.redis("XRANGE", reply, "-", "+")
        assert told[b"e"] == done(2)


async def test_a_reply_key_of_another_kind_does_not_keep_the_job_from_ending(lab: Labs) -> None:
    """A producer's mistake with its own key costs it the reply, and nobody else anything."""
    async with lab() as here:
        reply = f"{here.keys.prefix}:reply:service-1"
        await here.redis("LPUSH", reply, "x")

        error = await _ended_with(here, reply)

        assert error.code == "deadline_exceeded"
        assert await here.state("one") == "ended"


async def test_an_entry_with_thousands_of_fields_harms_nobody(lab: Labs) -> None:
    """What the protocol does not know is left behind when a job moves, so its worker's death is mended all the same."""
    async with lab() as here:
        worker = await here.worker()
        await here.xadd(body=BODY, id="wide", **{f"f{n}": "x" for n in range(9_000)})
        await here.claim_one(worker)

        reaped = await here.bury(worker)

        assert (reaped.given_back, reaped.workers) == (1, 1)
        assert (await here.claim_one(await here.worker())).id == "wide"


async def test_direct_jobs_are_never_orphans(lab: Labs) -> None:
    """Their producer reads the log, not the channel: that nobody listens means nothing."""
    async with lab() as here:
        worker = await here.worker()
        await write_limits(here.client, "m", {"orphan_ms": 1})
        await here.xadd(body=BODY, id="one")
        await here.claim_one(worker)

        for seq in (1, 2, 3):
            (verdict,) = await worker.append([Row("one", 1, seq, [b'{"status":"token","seq":%d}' % seq])])
            assert verdict.asked == ""

        assert not any(isinstance(event, Cancelled) for event in await here.events("one"))
