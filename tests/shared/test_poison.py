"""Poison: a job that ends engines is isolated, proven, and kept; neighbours and sick machines are told apart."""

from shared.claims import Claims, Row
from shared.event import Error

from .conftest import Lab, Labs, started, token


async def _die(here: Lab, worker: Claims, *, new_tokens: int = 0) -> str:
    """Claim a job and have the worker's engine die under it; returns where it was claimed from."""
    claimed = await here.claim_one(worker)
    await worker.fail([(claimed.id, claimed.attempt, new_tokens)])
    return claimed.entry.partition(":")[0]


async def test_an_engines_death_makes_its_young_jobs_suspects(lab: Labs) -> None:
    """Whoever had hardly begun may have caused it: those wait to run alone, the others go on at once."""
    async with lab() as here:
        worker = await here.worker()
        for name in ("old", "young"):
            await here.running(name, worker)

        await worker.fail([("old", 1, 16), ("young", 1, 15)])

        assert await here.waiting() == {"re": 1, "sus": 1}


async def test_a_job_that_ends_a_second_engine_alone_is_poison(lab: Labs) -> None:
    """Two engines are all it gets: its reader is told, and the operator finds it among the dead letters."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("bad")

        came_from = [await _die(here, worker), await _die(here, worker)]

        error = await here.last("bad")
        assert isinstance(error, Error)
        assert (came_from, error.code) == (["std", "sus"], "poisoned")
        assert await here.redis("XLEN", here.keys.dead) == 1


async def test_where_there_are_two_machines_both_have_to_say_so(lab: Labs) -> None:
    """A sick Mac can't condemn a job: the proof has to come from another one."""
    async with lab() as here:
        sick, well = await here.worker("sick"), await here.worker("well")
        await here.submit("innocent")
        await _die(here, sick)

        refused = await here.claim(sick)
        claimed = await here.claim_one(well)
        await well.fail([("innocent", claimed.attempt, 16)])

        assert refused == []
        assert await here.state("innocent") == "waiting"
        assert await here.waiting() == {"re": 1}


async def test_a_second_death_on_the_same_machine_is_no_proof_while_another_lives(lab: Labs) -> None:
    """It stays a suspect, however often the sick one takes it; five attempts without a token end it all the same."""
    async with lab() as here:
        sick = await here.worker("sick")
        await here.submit("innocent")
        await _die(here, sick)
        claimed = await here.claim_one(sick)
        await here.worker("well")

        await sick.fail([("innocent", claimed.attempt, 0)])

        assert await here.waiting() == {"sus": 1}


async def test_a_machine_that_has_not_loaded_the_model_is_one_that_could_say_so(lab: Labs) -> None:
    """With models on demand one is loaded and the others stand by: those load it for the job, which waits for them."""
    async with lab() as here:
        sick = await here.worker("sick")
        await here.submit("innocent")
        await _die(here, sick)
        claimed = await here.claim_one(sick)
        other = await here.worker("well", state="standby")

        await sick.fail([("innocent", claimed.attempt, 0)])

        seen = await other.look()
        assert (seen.suspect[:4], seen.suspect_not_on) == ("sus:", "sick")
        assert await here.claim(sick) == []


async def test_a_suspect_that_showed_sixteen_tokens_starts_with_a_clean_sheet(lab: Labs) -> None:
    """One death long ago must not count with one long after."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("job")

        for new_tokens in (0, 16, 0):
            await _die(here, worker, new_tokens=new_tokens)

        assert await here.waiting() == {"sus": 1}


async def test_a_strike_is_forgotten_with_sixteen_tokens(lab: Labs) -> None:
    """What ended an engine long ago, and got on since, has one death to its name when it ends another: not two."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.fail([("one", 1, 0)])
        claimed = await here.claim_one(worker)
        await worker.append([Row("one", 2, 1, [started(1, 2), token(2)])])
        await worker.fail([("one", claimed.attempt, 16)])
        for attempt in (3, 4, 5):
            await here.claim_one(worker)
            await worker.release("one", attempt)

        assert (await here.claim_one(worker)).is_suspect
        await worker.fail([("one", 6, 0)])

        assert await here.waiting() == {"sus": 1}


async def test_only_who_was_alone_is_proven(lab: Labs) -> None:
    """A job that got on after its first strike ran among others again: the second death may be theirs."""
    async with lab() as here:
        worker = await here.worker()
        await here.running("one", worker)
        await worker.fail([("one", 1, 0)])
        await here.claim_one(worker)
        await worker.append([Row("one", 2, 1, [started(1, 2), token(2)])])
        await worker.release("one", 2)

        assert await _die(here, worker) == "re"

        assert await here.waiting() == {"sus": 1}


async def test_a_cancelled_suspect_ends_as_cancelled(lab: Labs) -> None:
    """Nobody wants it any more: that it ended engines is of no account."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("bad")
        await _die(here, worker)
        claimed = await here.claim_one(worker)
        await here.queue.cancel("bad")

        await worker.fail([("bad", claimed.attempt, 0)])

        assert (await here.last("bad")).__class__.__name__ == "Cancelled"
        assert await here.redis("XLEN", here.keys.dead) == 0


async def test_of_two_that_take_one_suspect_one_gets_it(lab: Labs) -> None:
    """The other gets nothing, above all not the next suspect under the first one's name."""
    async with lab() as here:
        killer = await here.worker("killer")
        await here.running("a", killer)
        await here.running("b", killer)
        await killer.fail([("a", 1, 0), ("b", 1, 0)])
        one, other = await here.worker("one"), await here.worker("other")
        seen = (await one.look()).suspect
        assert (await other.look()).suspect == seen

        took = [job.id for job in await one.take([seen])]
        late = await other.take([seen])
        (left,) = await other.take([(await other.look()).suspect])

        assert late == []
        assert sorted([*took, left.id]) == ["a", "b"]


async def test_a_suspect_does_not_starve_behind_busy_workers(lab: Labs) -> None:
    """After three seconds one of those that may take it now claims nothing else, until it is empty and takes it."""
    async with lab() as here:
        await here.worker("0", state="loading")
        first, second = await here.worker("a"), await here.worker("b")
        await here.submit("bad")
        await _die(here, first)
        ((_, fields),) = await here.redis("XRANGE", here.keys.jobs("sus"), "-", "+")
        await here.redis("DEL", here.keys.jobs("sus"))
        words = [word for pair in fields.items() for word in pair if pair[0] != b"not_on"]
        aged = await here.redis("XADD", here.keys.jobs("sus"), await here.now_ms() - 4_000, *words)
        await here.redis("HSET", here.keys.job("bad"), "entry", b"sus:" + aged)
        await here.submit("other", "another")

        busy = [await here.claim(first, held=1), await here.claim(second, held=1)]
        empty = await here.claim(first, held=0)

        assert [len(each) for each in busy] == [0, 1]
        assert empty[0].id == "bad"


async def test_a_suspect_whose_worker_dies_with_it_stays_a_suspect(lab: Labs) -> None:
    """It may have taken the whole machine along: without a token to show it never goes back among the others."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("bad")
        await _die(here, worker)
        alone = await here.claim_one(worker)

        await here.bury(worker)

        assert alone.is_suspect
        assert await here.waiting() == {"sus": 1}
