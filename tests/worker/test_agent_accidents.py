"""A worker process on a bad day: whatever dies, freezes or forgets, every stream is the undisturbed one."""

import asyncio
import contextlib
import os
import signal

import pytest

from shared.event import Error
from tests.conftest import Broker as Server
from tests.conftest import Eventually

from .conftest import Machine, Site, Sites, engines_of, is_alive


async def two_machines(here: Site, *, slots: int = 4) -> None:
    """Let two machines be ready, so that what happens to one is the other's business at once."""
    for _ in range(2):
        here.start(slots=slots, engine="--step-ms 10")
    await here.ready(2)


async def test_a_killed_workers_jobs_go_on_from_the_next_token(site: Sites, eventually: Eventually) -> None:
    """Kill -9 in mid-stream: log whole, text and ids as foretold, the second attempt behind the first one's last id."""
    async with site() as here:
        await two_machines(here)
        ids = [await here.put(f"job {n}", max_tokens=100, logprobs=2 if n % 2 else None) for n in range(4)]
        victim = await here.runner(ids[3])
        engines = engines_of(victim)

        victim.send(signal.SIGKILL)

        stories = [await here.story(each) for each in ids]
        for story in stories:
            story.assert_undisturbed()
        assert [start.attempt for start in stories[3].starts] == [1, 2]
        assert 3 <= stories[3].starts[1].resumed_tokens < 100
        await eventually(here.is_quiet)
        await eventually(lambda: not any(is_alive(pid) for pid in engines))


@pytest.mark.long
async def test_a_killed_workers_jobs_go_before_a_full_queue(site: Sites) -> None:
    """Who already reads waits for a take-over, not for the backlog."""
    async with site() as here:
        await two_machines(here, slots=1)
        first = await here.put(max_tokens=100)
        backlog = [await here.put(f"job {n}", max_tokens=400) for n in range(12)]
        victim = await here.runner(first)

        victim.send(signal.SIGKILL)

        (await here.story(first)).assert_undisturbed()
        assert (await here.queue.survey()).waiting_total >= 9
        for each in backlog:
            await here.queue.cancel(each)


@pytest.mark.long
@pytest.mark.parametrize("engine_too", [False, True])
async def test_a_frozen_worker_writes_nothing_stale(site: Sites, eventually: Eventually, *, engine_too: bool) -> None:
    """A laptop lid closes and opens: its jobs ran on elsewhere, it is fenced, and takes jobs again under a new name."""
    async with site() as here:
        await two_machines(here)
        job_id = await here.put(max_tokens=200)
        sleeper = await here.runner(job_id)
        frozen = [sleeper.process.pid, *(engines_of(sleeper) if engine_too else [])]

        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        story = await here.story(job_id)
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

        await eventually(lambda: "lease_lost" in sleeper.said)
        await here.ready(2)
        assert await here.client.command("XLEN", here.queue.keys.log(job_id)) == len(story.events)
        story.assert_undisturbed()
        await _stop_all_but(here, sleeper)
        again = await here.story(await here.put())
        again.assert_undisturbed()
        assert again.starts[0].worker not in {start.worker for start in story.starts}


async def _stop_all_but(here: Site, kept: Machine) -> None:
    for machine in here.machines:
        if machine is not kept:
            machine.send(signal.SIGTERM)
            assert await machine.exit_code() == 0


async def test_an_engine_that_crashes_costs_its_jobs_a_moment(site: Sites) -> None:
    """Its jobs go back with every token that it said, the engine starts again, and the text has no seam."""
    async with site() as here:
        here.start()
        crashing = await here.put("[[crash@+20]]", max_tokens=50)
        neighbour = await here.put("hello", max_tokens=100)

        story = await here.story(crashing)

        story.assert_undisturbed()
        assert [start.resumed_tokens for start in story.starts] == [0, 19, 38]
        (await here.story(neighbour)).assert_undisturbed()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["crash", "oom"])
async def test_a_poisonous_job_ends_and_its_neighbours_are_whole(site: Sites, fault: str) -> None:
    """It kills every engine that touches it: it is told so, kept as a dead letter, and nobody else loses a token."""
    async with site() as here:
        here.start()
        poison = await here.put(f"[[{fault}@5]]", max_tokens=50)
        neighbours = [await here.put(f"job {n}", max_tokens=300) for n in range(3)]

        story = await here.story(poison, within=60)

        assert isinstance(story.end, Error)
        assert story.end.code == "poisoned"
        assert len(story.ids) == 4
        assert (await here.queue.survey()).dead_letters == 1
        for each in neighbours:
            (await here.story(each, within=60)).assert_undisturbed()


@pytest.mark.long
async def test_an_engine_that_hangs_is_killed_and_its_jobs_go_on(site: Sites) -> None:
    """No token, no stats, though the process lives: the watchdog ends it, and the stream goes on."""
    async with site() as here:
        machine = here.start()
        hanging = await here.put("[[hang@+10]]", max_tokens=15)

        story = await here.story(hanging, within=60)

        story.assert_undisturbed()
        assert [start.attempt for start in story.starts] == [1, 2]
        assert '"engine_killed"' in machine.said


async def test_a_worker_may_start_before_its_redis(site: Sites, own_broker: Server, eventually: Eventually) -> None:
    """It says so once, waits, and works when Redis is there."""
    own_broker.kill()
    async with site(own_broker.url) as here:
        machine = here.start()
        await eventually(lambda: "broker_awaited" in machine.said)
        assert machine.process.poll() is None

        own_broker.start()
        await here.ready()

        (await here.story(await here.put())).assert_undisturbed()
        assert machine.said.count("broker_awaited") == 1


async def test_a_restart_of_redis_in_mid_stream_costs_no_token(
    site: Sites, durable_broker: Server, eventually: Eventually
) -> None:
    """Kill -9 of Redis: the worker keeps what it could not tell, says it again, and nobody is taken over."""
    async with site(durable_broker.url) as here:
        machine = here.start(engine="--step-ms 10")
        ids = [await here.put(f"job {n}", max_tokens=200) for n in range(3)]
        await here.has_tokens(ids[2], 3)

        durable_broker.kill()
        await eventually(lambda: "redis_away" in machine.said)
        durable_broker.start()

        for each in ids:
            story = await here.story(each)
            story.assert_undisturbed()
            assert [start.attempt for start in story.starts] == [1]
        await eventually(here.is_quiet)


@pytest.mark.long
async def test_with_redis_away_for_long_an_engine_waits(
    site: Sites, durable_broker: Server, eventually: Eventually
) -> None:
    """It decodes on for two seconds, stands still until Redis is back, and goes on where it was."""
    async with site(durable_broker.url) as here:
        machine = here.start(engine="--step-ms 10")
        job_id = await here.put(max_tokens=1_000)
        await here.has_tokens(job_id, 3)

        durable_broker.kill()
        await eventually(lambda: "engine_held" in machine.said)
        durable_broker.start()

        story = await here.story(job_id)
        story.assert_undisturbed()
        assert [start.attempt for start in story.starts] == [1]
        assert "engine_died" not in machine.said


@pytest.mark.long
async def test_a_redis_that_stands_still_kills_nobody(site: Sites, own_broker: Server) -> None:
    """Frozen for longer than a lease, then thawed: no take-over, no restart, every stream whole."""
    assert own_broker.process
    async with site(own_broker.url) as here:
        machines = [here.start(engine="--step-ms 10", slots=2) for _ in range(2)]
        await here.ready(2)
        ids = [await here.put(f"job {n}", max_tokens=600) for n in range(4)]
        await here.has_tokens(ids[3], 3)

        os.kill(own_broker.process.pid, signal.SIGSTOP)
        await asyncio.sleep(4)
        os.kill(own_broker.process.pid, signal.SIGCONT)

        for each in ids:
            story = await here.story(each)
            story.assert_undisturbed()
            assert [start.attempt for start in story.starts] == [1]
        assert not any("lease_lost" in machine.said for machine in machines)


@pytest.mark.long
async def test_a_redis_that_lost_its_last_second_is_told_again(site: Sites, own_broker: Server) -> None:
    """The tail of a log is gone: the worker re-sends it from memory, and the log is whole."""
    async with site(own_broker.url) as here:
        machine = here.start(engine="--step-ms 10")
        job_id = await here.put(max_tokens=300)
        await here.has_tokens(job_id, 30)

        await _cut_the_tail(here, job_id, keep=10)

        story = await here.story(job_id)
        story.assert_undisturbed()
        assert [start.attempt for start in story.starts] == [1]
        assert "redis_lost_events" in machine.said


async def _cut_the_tail(here: Site, job_id: str, *, keep: int) -> None:
    """Let Redis be as it was some events ago: in one step, since the worker writes on."""
    log, record = here.queue.keys.log(job_id), here.queue.keys.job(job_id)
    lua = (
        "local kept = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1]) redis.call('DEL', KEYS[1]) "
        "for _, e in ipairs(kept) do redis.call('XADD', KEYS[1], e[1], unpack(e[2])) end "
        "redis.call('HSET', KEYS[2], 'seq', ARGV[1]) redis.call('PEXPIRE', KEYS[1], 600000)"
    )
    await here.client.command("EVAL", lua, 2, log, record, keep)


@pytest.mark.long
async def test_an_empty_redis_in_place_of_the_old_one_is_served(
    site: Sites, own_broker: Server, eventually: Eventually
) -> None:
    """All is lost, and no machine has to be touched: each registers anew and takes the jobs that come."""
    async with site(own_broker.url) as here:
        machine = here.start()
        lost = await here.put(max_tokens=5_000)
        await here.has_tokens(lost)

        await here.client.command("FLUSHALL")
        await eventually(lambda: "lease_lost" in machine.said)
        await here.ready()

        (await here.story(await here.put())).assert_undisturbed()


@pytest.mark.long
async def test_workers_that_keep_dying_lose_and_repeat_nothing(site: Sites, eventually: Eventually) -> None:
    """A minute of kill -9 on random machines under load: every one of the streams is the undisturbed one."""
    async with site() as here:
        for _ in range(3):
            here.start(engine="--step-ms 10")
        ids = [await here.put(f"job {n}", max_tokens=200) for n in range(60)]

        for round_number in range(6):
            await asyncio.sleep(2)
            here.machines[round_number].send(signal.SIGKILL)
            here.start(engine="--step-ms 10")

        for each in ids:
            (await here.story(each, within=90)).assert_undisturbed()
        await eventually(here.is_quiet)
        for machine in here.machines[:6]:
            with contextlib.suppress(ProcessLookupError):
                machine.send(signal.SIGKILL)
