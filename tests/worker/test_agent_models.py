"""Several models on one machine: loaded when a job waits, unloaded for each other, and nobody starves."""

import pytest

from tests.conftest import Eventually

from .conftest import Sites, engines_of


async def test_a_job_loads_its_model(site: Sites) -> None:
    """Until it comes the queue exists, with a worker that stands by and tells how soon it could serve."""
    async with site() as here:
        here.start_models("m", engine="--load-ms 300")
        before = await here.becomes("standby")

        story = await here.story(await here.put())

        story.assert_undisturbed()
        after = await here.becomes("ready")
        assert (before.slots, before.loads, before.pinned, before.load_s > 0) == (0, 0, False, True)
        assert (after.slots, after.loads, after.unloads) == (2, 1, 0)
        assert 0.3 < after.load_s < 5


async def test_one_model_leaves_for_another(site: Sites) -> None:
    """Two that do not fit together: the idle one is unloaded, its worker stands by, and it comes back when asked."""
    async with site() as here:
        other = here.beside("other")
        here.start_models("m", "other")
        await other.becomes("standby")

        stories = [await each.story(await each.put()) for each in (here, other, here)]

        for story in stories:
            story.assert_undisturbed()
        assert (await other.becomes("standby")).unloads == 1
        assert (await here.becomes("ready")).loads == 2


async def test_models_that_fit_stay_beside_each_other(site: Sites) -> None:
    """Room for both: nothing is unloaded."""
    async with site() as here:
        other = here.beside("other")
        here.start_models("m", "other", room=0.8)
        await other.becomes("standby")

        for each in (here, other, here, other):
            (await each.story(await each.put())).assert_undisturbed()

        assert {(await each.view()).unloads for each in (here, other)} == {0}


async def test_under_load_models_take_turns(site: Sites) -> None:
    """A long line for one keeps the other from nobody: it gives way, and comes back for the rest; nothing is lost."""
    async with site() as here:
        other = here.beside("other")
        here.start_models("m", "other", engine="--step-ms 5")
        await other.becomes("standby")
        line = [await here.put(f"job {n}", max_tokens=60) for n in range(24)]
        await here.has_tokens(line[0])

        passing = [await other.story(await other.put(f"passing {n}", max_tokens=20)) for n in range(2)]

        assert (await here.queue.survey()).waiting_total > 0
        for story in [*passing, *[await here.story(each, within=60) for each in line]]:
            story.assert_undisturbed()
        assert (await here.view()).loads >= 2


async def test_the_worker_that_loads_sooner_does(site: Sites) -> None:
    """Of two that stand by the quick one loads, and the slow one leaves it the job."""
    async with site() as here:
        slow, quick = here.start_models("m=6", room=6), here.start_models("m")
        for machine in (slow, quick):
            await here.becomes("standby", machine)

        story = await here.story(await here.put())

        story.assert_undisturbed()
        assert story.starts[0].worker.startswith(f"{quick.name}.")
        assert (await here.view(slow)).loads == 0


async def test_a_long_line_is_relieved(site: Sites) -> None:
    """Where the last one would wait longer than loading takes, one that stands by loads and helps."""
    async with site() as here:
        here.start(slots=1, engine="--step-ms 20")
        helper = here.start_models("m")
        await here.becomes("standby", helper)
        await here.ready()

        line = [await here.put(f"job {n}", max_tokens=30) for n in range(12)]

        stories = [await here.story(each, within=60) for each in line]
        for story in stories:
            story.assert_undisturbed()
        assert {story.starts[0].worker.partition(".")[0] for story in stories} == {"mac1", helper.name}


async def test_a_pinned_model_stays(site: Sites) -> None:
    """It is loaded from the start, and makes room for nobody; the others share what is left."""
    async with site() as here:
        a, b = here.beside("a"), here.beside("b")
        here.start_models("a=1", "b=1", room=2.5, model="m")
        assert (await here.becomes("ready")).pinned

        for each in (a, b, a):
            (await each.story(await each.put())).assert_undisturbed()

        assert (await here.view()).unloads == 0
        assert (await b.becomes("standby")).unloads == 1


async def test_a_model_that_nobody_asks_for_leaves_where_that_is_wanted(site: Sites, eventually: Eventually) -> None:
    """`--keep-loaded-s`: the memory is free again for other programs."""
    async with site() as here:
        machine = here.start_models("m", keep_loaded_s="1")
        await here.becomes("standby")
        await here.story(await here.put())

        async def is_unloaded() -> bool:
            view = await here.view()
            return (view.state, view.loads, view.unloads, view.memory_bytes) == ("standby", 1, 1, 0)

        await eventually(is_unloaded)
        assert engines_of(machine) == []


@pytest.mark.long
async def test_one_machine_gives_way_and_the_other_keeps_its_model(site: Sites, eventually: Eventually) -> None:
    """A single job for another model, while long ones run on both: the machine that makes room first is left to it."""
    async with site() as here:
        other = here.beside("other")
        machines = [here.start_models("m", "other", engine="--step-ms 20", slots=1) for _ in range(2)]
        for machine in machines:
            await other.becomes("standby", machine)
        long = [await here.put(f"long {n}", max_tokens=350) for n in range(2)]
        for job in long:
            await here.has_tokens(job)

        passing = await other.put()

        async def has_waited() -> bool:
            return (await other.queue.survey()).oldest_wait_ms > 2_500  # by then both would have given way

        await eventually(has_waited)
        states = [view.state for view in (await here.queue.survey()).live_workers]
        assert sorted(states) == ["ready", "standby"]
        for story in [await other.story(passing), *[await here.story(job) for job in long]]:
            story.assert_undisturbed()


@pytest.mark.long
async def test_two_machines_serve_three_models_under_load(site: Sites) -> None:
    """Jobs for three models with room for one each on two machines: all of them are served, whole."""
    async with site() as here:
        sites = [here, here.beside("a"), here.beside("b")]
        for _ in range(2):
            here.start_models("m", "a", "b", engine="--step-ms 5 --load-ms 200")
        for each in sites:
            await each.becomes("standby")

        jobs = [(each, await each.put(f"job {n}", max_tokens=40)) for n in range(15) for each in sites]

        for each, job in jobs:
            (await each.story(job, within=90)).assert_undisturbed()
