"""A worker whose engine is short of memory: it takes no more, what it can't hold goes on elsewhere, nothing is lost."""

import signal

from shared.event import Error, Started
from tests.conftest import Eventually

from .conftest import Site, Sites


async def test_a_job_handed_back_goes_on_on_another_machine(site: Sites) -> None:
    """In mid-stream, behind its last id; the machine that had no memory for it is not the next to take it."""
    async with site() as here:
        for _ in range(2):
            here.start()
        await here.ready(2)

        story = await here.story(await here.put("[[full@+20]] and on", max_tokens=50))

        story.assert_undisturbed()
        first, second, third = map(_machine, story.starts)
        assert first == third != second
        assert [start.resumed_tokens for start in story.starts] == [0, 19, 38]


async def test_a_job_handed_back_goes_on_here_where_there_is_no_other_machine(site: Sites) -> None:
    """As often as it takes: each attempt gets a bit further, and the reader sees one text."""
    async with site() as here:
        here.start()
        disturbed = await here.put("[[full@+4]]", max_tokens=30, logprobs=1)
        neighbour = await here.put("hello", max_tokens=60)

        story = await here.story(disturbed)

        story.assert_undisturbed()
        assert [start.attempt for start in story.starts] == list(range(1, 11))
        (await here.story(neighbour)).assert_undisturbed()


async def test_a_job_that_fits_nowhere_alone_ends_in_an_error_that_says_so(site: Sites) -> None:
    """Three attempts that had the engine to themselves brought no token: no more are made."""
    async with site() as here:
        here.start()
        job_id = await here.put("[[full@5]]", max_tokens=30)

        story = await here.story(job_id)

        assert isinstance(story.end, Error)
        assert story.end.code == "does_not_fit"
        assert story.ids == story.oracle.ids[:4]
        assert len(story.starts) == 4


async def test_a_job_that_does_not_fit_beside_others_is_tried_alone_first(site: Sites) -> None:
    """Want of room in company says nothing of the job; if it does not fit alone either, the error is the same."""
    async with site() as here:
        here.start(engine="--step-ms 5")
        neighbour = await here.put("[[slow:50]]", max_tokens=40)
        await here.has_tokens(neighbour)
        job_id = await here.put("[[full@1]]", max_tokens=30)

        story = await here.story(job_id, within=40)

        assert isinstance(story.end, Error)
        assert story.end.code == "does_not_fit"
        assert len(story.starts) == 5
        (await here.story(neighbour)).assert_undisturbed()


async def test_a_worker_short_of_memory_takes_one_job_at_a_time(site: Sites, eventually: Eventually) -> None:
    """None beside another, so that they stay in the queue for whoever has memory; the first is always tried."""
    async with site() as here:
        here.start(slots=4, engine="--step-ms 5 --pressure soft")
        await eventually(lambda: _pressure(here))
        ids = [await here.put(f"job {n}", max_tokens=100) for n in range(3)]
        await here.has_tokens(ids[0])

        survey = await here.queue.survey()

        assert (survey.running, survey.waiting_total) == (1, 2)
        for each in ids:
            (await here.story(each)).assert_undisturbed()


async def test_who_has_memory_gets_the_job_before_who_has_none(site: Sites, eventually: Eventually) -> None:
    """Also of two idle machines; and two without memory do not wait for each other."""
    async with site() as here:
        short, other = here.start(engine="--pressure soft"), here.start()
        await eventually(lambda: _pressure(here))
        await here.ready(2)

        stories = [await here.story(await here.put(f"job {n}")) for n in range(5)]

        assert {_machine(story.starts[0]) for story in stories} == {other.name}
        other.send(signal.SIGTERM)
        await other.exit_code()
        here.start(engine="--pressure hard", name="mac9")
        await eventually(lambda: _pressure(here, 2))
        assert _machine((await here.story(await here.put())).starts[0]) in {short.name, "mac9"}


async def _pressure(here: Site, machines: int = 1) -> bool:
    """Whether so many machines say that they are short of memory."""
    return sum(bool(worker.pressure) for worker in (await here.queue.survey()).live_workers) == machines


def _machine(start: Started) -> str:
    return start.worker.partition(".")[0]
