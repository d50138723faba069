"""Several models on one machine when something goes wrong, or ends: the one costs the others nothing."""

import os
import signal

import pytest

from tests.conftest import Eventually

from .conftest import Sites, engines_of


async def test_an_engine_killed_while_it_loads_is_started_again(site: Sites, eventually: Eventually) -> None:
    """The job that it was loaded for waits, and is served."""
    async with site() as here:
        machine = here.start_models("m", engine="--load-ms 1500")
        await here.becomes("standby")
        job = await here.put()

        async def is_on_its_way() -> bool:
            view = await here.view()
            return view.state == "loading" and 0 < view.progress < 1

        await eventually(is_on_its_way)
        os.kill(engines_of(machine)[0], signal.SIGKILL)

        (await here.story(job)).assert_undisturbed()
        assert "engine_died" in machine.said


@pytest.mark.long
async def test_a_job_whose_engine_died_goes_on_where_the_model_is_not_loaded_yet(site: Sites) -> None:
    """It may be that machine's fault: another one loads the model for it, though the first has free seats."""
    async with site() as here:
        first = here.start_models("m", engine="--step-ms 300")
        await here.becomes("standby")
        job = await here.put(max_tokens=12)
        await here.has_tokens(job)
        second = here.start_models("m", engine="--load-ms 1000")
        await here.becomes("standby", second)

        os.kill(engines_of(first)[0], signal.SIGKILL)

        story = await here.story(job)
        story.assert_undisturbed()
        assert [start.worker.partition(".")[0] for start in story.starts] == [first.name, second.name]


async def test_a_drain_hands_over_what_all_models_run(site: Sites) -> None:
    """SIGTERM with two models busy and one that stands by: every stream goes on elsewhere, and the worker has left."""
    async with site() as here:
        other, idle = here.beside("other"), here.beside("idle")
        first = here.start_models("m", "other", "idle", room=1.2, engine="--step-ms 10", drain_s="0.2")
        await idle.becomes("standby")
        jobs = [(each, await each.put(max_tokens=200)) for each in (here, other)]
        for each, job in jobs:
            await each.has_tokens(job, 5)

        here.start_models("m", "other", "idle", room=1.2, engine="--step-ms 1")
        first.send(signal.SIGTERM)

        assert await first.exit_code() == 0
        for each, job in jobs:
            story = await each.story(job)
            story.assert_undisturbed()
            assert len(story.starts) == 2
        assert (await idle.becomes("standby")).host != first.name


async def test_one_that_helps_with_other_weights_leaves(site: Sites) -> None:
    """Its queue is served by others already, with weights that its own are not: it ends, and they go on."""
    async with site() as here:
        here.start(slots=1, engine="--step-ms 20")
        other = here.start_models("m", engine="--vocabulary 3000")
        await here.becomes("standby", other)
        await here.ready()

        line = [await here.put(f"job {n}", max_tokens=30) for n in range(6)]

        assert await other.exit_code(20) == 2
        assert "other weights" in other.said
        for each in line:
            (await here.story(each)).assert_undisturbed()


async def test_a_drain_does_not_wait_for_a_model_that_loads(site: Sites) -> None:
    """Nothing runs on it yet; the job that it was for waits for others."""
    async with site() as here:
        machine = here.start_models("m", engine="--load-ms 60000")
        await here.becomes("standby")
        await here.put()
        await here.becomes("loading")

        machine.send(signal.SIGTERM)

        assert await machine.exit_code() == 0
        survey = await here.queue.survey()
        assert (survey.waiting_total, survey.workers) == (1, [])


async def test_one_queue_of_a_worker_can_be_drained(site: Sites) -> None:
    """What an operator wants of a worker is about one model; the machine goes on with the others."""
    async with site() as here:
        other = here.beside("other")
        here.start_models("m", "other")
        await other.becomes("standby")
        await here.story(await here.put())
        view = await here.becomes("ready")

        await here.client.command("HSET", here.queue.keys.worker(view.id), "wanted", "drain")

        await here.becomes("gone")
        (await other.story(await other.put())).assert_undisturbed()


async def test_a_model_that_cannot_be_loaded_is_left_to_others(site: Sites, eventually: Eventually) -> None:
    """Its worker leaves that queue and says why, serves its other models, and the job waits for who can load it."""
    async with site() as here:
        broken = here.beside("broken")
        machine = here.start_models("m", "broken", engine="--refuses broken")
        await broken.becomes("standby")
        job = await broken.put()
        await eventually(lambda: '"model_left"' in machine.said)

        (await here.story(await here.put())).assert_undisturbed()
        await broken.becomes("gone")
        here.start_models("broken")

        (await broken.story(job)).assert_undisturbed()
        assert "can't be loaded, as told" in machine.said


async def test_a_worker_that_can_load_nothing_ends(site: Sites) -> None:
    """With its last model it has nothing to serve: exit code 2, and the engine's own words."""
    async with site() as here:
        machine = here.start_models("m", engine="--refuses m")
        await here.becomes("standby")

        await here.put()

        assert await machine.exit_code() == 2
        assert "mlx-pool worker: m can't be loaded, as told" in machine.said


@pytest.mark.parametrize(
    ("models", "said"),
    [(("m=2",), "m needs about 2.0 GiB, and all models together may fill 0.6 GiB"), (("m", "m"), "m is named twice")],
)
async def test_what_can_never_work_is_said_at_the_start(site: Sites, models: tuple[str, ...], said: str) -> None:
    """In one line, with exit code 2, before anything joins."""
    async with site() as here:
        machine = here.start_models(*models)

        assert await machine.exit_code() == 2
        assert said in machine.said


@pytest.mark.long
async def test_a_worker_that_was_paused_finds_its_models_loaded(site: Sites, eventually: Eventually) -> None:
    """A lid closes and opens: each service goes on under a new name, loaded or not as it was."""
    async with site() as here:
        other = here.beside("other")
        sleeper = here.start_models("m", "other")
        await other.becomes("standby", sleeper)
        await here.story(await here.put())
        await here.becomes("standby", here.start_models("m", "other"))
        names = {(await each.view(sleeper)).id for each in (here, other)}

        async def are_buried() -> bool:
            surveys = [await each.queue.survey() for each in (here, other)]
            return names.isdisjoint(worker.id for survey in surveys for worker in survey.workers)

        sleeper.send(signal.SIGSTOP)
        await eventually(are_buried)
        sleeper.send(signal.SIGCONT)

        await eventually(lambda: sleeper.said.count("lease_lost") == 2)
        views = [await here.becomes("ready", sleeper), await other.becomes("standby", sleeper)]
        assert names.isdisjoint(view.id for view in views)
        assert [view.loads for view in views] == [1, 0]
        for each in (here, other):
            (await each.story(await each.put())).assert_undisturbed()
