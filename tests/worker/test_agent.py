"""A worker process on a quiet day: it takes jobs, tells every token once, and leaves nothing behind."""

import signal
import time

import pytest

from shared.event import Cancelled, Error, Token
from shared.keys import MODELS
from tests.conftest import Eventually

from .conftest import Sites, engines_of, is_alive


async def test_a_job_by_one_bare_xadd_streams_to_its_end(site: Sites) -> None:
    """No gateway, no library: the log gets `started`, every id once, `done`; the text is the engine's."""
    async with site() as here:
        job_id = await here.put("안녕하세요", max_tokens=60)
        here.start()

        story = await here.story(job_id)

        story.assert_undisturbed()
        assert [(start.attempt, start.resumed_tokens) for start in story.starts] == [(1, 0)]
        assert MODELS.encode() in await here.client.command("KEYS", "*")


async def test_every_way_to_ask_is_answered_as_foretold(site: Sites) -> None:
    """Seeds, stop strings, logprobs, token prompts and conversations reach the engine as they were sent."""
    async with site() as here:
        here.start(slots=8, engine="--step-ms 1")
        ids = [
            await here.put(seed=7),
            await here.put(temperature=0),
            await here.put(stop=["e", "한"], max_tokens=200),
            await here.put(kind="text"),
            await here.put(logprobs=3),
            await here.put_raw(b'{"tokens":[1,2,3],"max_tokens":9}'),
            await here.put_raw('{"messages":[{"role":"user","content":"안녕"}],"max_tokens":9}'.encode()),
        ]

        stories = [await here.story(each) for each in ids]

        for story in stories:
            story.assert_undisturbed()
        assert len({story.text for story in stories}) == len(stories)


async def test_two_workers_share_the_jobs(site: Sites) -> None:
    """Who has a free slot takes the next one: of forty jobs, each of two equal workers gets its part."""
    async with site() as here:
        for _ in range(2):
            here.start(slots=4)
        await here.ready(2)

        stories = [await here.story(each) for each in [await here.put(max_tokens=20) for _ in range(40)]]

        shares = [story.starts[0].worker for story in stories]
        assert min(shares.count(worker) for worker in set(shares)) >= 12
        assert len(set(shares)) == 2
        for story in stories:
            story.assert_undisturbed()


async def test_a_worker_never_runs_more_than_its_slots(site: Sites) -> None:
    """The rest waits in the queue, where whoever is free first finds it."""
    async with site() as here:
        here.start(slots=2)
        ids = [await here.put(max_tokens=60) for _ in range(5)]
        await here.has_tokens(ids[1])

        survey = await here.queue.survey()

        assert (survey.running, survey.waiting_total) == (2, 3)
        for each in ids:
            (await here.story(each)).assert_undisturbed()


async def test_a_cancel_frees_the_slot(site: Sites) -> None:
    """The next job begins at once, not when the cancelled one would have ended."""
    async with site() as here:
        here.start(slots=1)
        endless = await here.put(max_tokens=5_000)
        following = await here.put(max_tokens=5)
        await here.has_tokens(endless)

        asked = time.monotonic()
        await here.queue.cancel(endless)
        await here.has_tokens(following)
        took = time.monotonic() - asked

        story = await here.story(endless)
        assert isinstance(story.end, Cancelled)
        assert story.end.usage is not None
        assert story.end.usage.completion_tokens == len(story.ids)
        assert took < 1.0


@pytest.mark.long
async def test_a_cancel_by_one_xadd_reaches_the_worker(site: Sites) -> None:
    """The reapers read it, the worker's next flush is told."""
    async with site() as here:
        here.start(slots=1)
        endless = await here.put(max_tokens=5_000)
        await here.has_tokens(endless)

        await here.client.command("XADD", f"{here.queue.keys.prefix}:cancels", "*", "id", endless)

        assert isinstance((await here.story(endless)).end, Cancelled)


async def test_a_deadline_ends_a_running_job(site: Sites) -> None:
    """The worker stops it, keeps what was said, and says why; its slot is the next one's."""
    async with site() as here:
        here.start(slots=1)
        late = await here.put(max_tokens=5_000, timeout_ms=300)
        following = await here.put(max_tokens=5)

        story = await here.story(late)

        assert isinstance(story.end, Error)
        assert story.end.code == "deadline_exceeded"
        assert any(isinstance(event, Token) for event in story.events)
        (await here.story(following)).assert_undisturbed()


async def test_a_broken_body_ends_in_an_error_and_harms_nobody(site: Sites) -> None:
    """The error names the field, the entry is gone, the engine and the other streams never notice."""
    async with site() as here:
        here.start()
        bodies = {
            b"{": None,
            b'{"propmt":"x"}': "propmt",
            b'{"prompt":"x","max_tokens":0}': "max_tokens",
            b'{"prompt":"x","messages":[{"role":"user","content":"x"}]}': "messages",
            b'{"prompt":"x","model":"another"}': "model",
            b'{"prompt":"' + b"x" * 40_000 + b'"}': "prompt",
        }
        good = await here.put(max_tokens=100)
        broken = {await here.put_raw(body): param for body, param in bodies.items()}

        for job_id, param in broken.items():
            (*_, end) = (await here.story(job_id)).events
            assert isinstance(end, Error)
            assert end.param == param

        (await here.story(good)).assert_undisturbed()
        assert await here.is_quiet()


async def test_sigterm_drains_and_leaves_nothing_behind(site: Sites) -> None:
    """The running job is finished, no new one is taken, the engine is gone and so is the lease."""
    async with site() as here:
        machine = here.start(slots=1)
        running = await here.put(max_tokens=60)
        waiting = await here.put()
        await here.has_tokens(running)
        engines = engines_of(machine)

        machine.send(signal.SIGTERM)

        assert await machine.exit_code() == 0
        (await here.story(running)).assert_undisturbed()
        assert (await here.queue.survey()).waiting_total == 1
        assert (await here.queue.survey()).workers == []
        assert len(engines) >= 1
        assert not any(is_alive(pid) for pid in engines)
        [left] = await here.queue.peek([waiting])
        assert left is None or (left.state, left.attempt) == ("waiting", 0)


async def test_a_drain_that_takes_too_long_hands_over_in_mid_stream(site: Sites) -> None:
    """Another worker goes on from the next token: a rolling restart is invisible."""
    async with site() as here:
        for _ in range(2):
            here.start("--drain-s", "0.1", slots=1)
        await here.ready(2)
        job_id = await here.put(max_tokens=150)
        leaving = await here.runner(job_id)

        leaving.send(signal.SIGTERM)

        assert await leaving.exit_code() == 0
        story = await here.story(job_id)
        story.assert_undisturbed()
        first, second = story.starts
        assert (first.attempt, second.attempt) == (1, 2)
        assert 3 <= second.resumed_tokens < 150
        assert first.worker.partition(".")[0] == leaving.name


async def test_a_second_sigterm_hands_over_at_once(site: Sites, eventually: Eventually) -> None:
    """Who asks twice does not want to wait for the drain's limit."""
    async with site() as here:
        machine = here.start("--drain-s", "3600", slots=1)
        job_id = await here.put(max_tokens=5_000)
        await here.has_tokens(job_id)

        machine.send(signal.SIGTERM)
        await eventually(lambda: "draining" in machine.said)
        machine.send(signal.SIGTERM)

        assert await machine.exit_code() == 0
        assert (await here.queue.survey()).waiting == {"re": 1, "hi": 0, "std": 0, "lo": 0, "sus": 0}


@pytest.mark.long
async def test_an_operators_wish_drains_a_worker(site: Sites) -> None:
    """`wanted` in its hash is heard with the next beat: no need to log in on that machine."""
    async with site() as here:
        machine = here.start()
        await here.ready()
        (worker,) = (await here.queue.survey()).workers

        await here.client.command("HSET", here.queue.keys.worker(worker.id), "wanted", "drain")

        assert await machine.exit_code() == 0


@pytest.mark.long
async def test_no_prompt_and_no_answer_stands_in_a_log(site: Sites) -> None:
    """Logs are kept and sent around; what people write to a model is not for them."""
    async with site() as here:
        machine = here.start("--log-level", "debug")
        story = await here.story(await here.put("a secret of mine"))

        machine.send(signal.SIGTERM)
        await machine.exit_code()

        assert "job_ended" in machine.said
        assert "secret" not in machine.said
        assert story.text[:10] not in machine.said
