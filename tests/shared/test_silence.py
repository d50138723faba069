"""The quick way to see that a worker is gone: it renews nothing, and nobody holds its control channel."""

from shared.claims import Claims

from .conftest import Lab, Labs


async def _age(here: Lab, worker: Claims, ms: int) -> None:
    """Let the worker have renewed so long ago, and have been registered long before."""
    now = await here.now_ms()
    await here.redis("ZADD", here.keys.workers, now - ms + 2_000, worker.worker_id)
    await here.redis("HSET", here.keys.worker(worker.worker_id), "since", now - 10_000, "listens", 1)


async def _buried(here: Lab, ticks: int) -> list[int]:
    """How many workers each of so many ticks buried."""
    return [(await here.tick()).workers for _ in range(ticks)]


async def _settled(here: Lab) -> Claims:
    """A worker with a running job, in a pool whose reapers have ticked for a while."""
    worker = await here.worker()
    await here.running("one", worker)
    await here.tick()
    await here.redis("HSET", here.tick_key, "settling", 0)
    return worker


async def test_a_worker_that_is_silent_and_deaf_is_gone_in_two_ticks(lab: Labs) -> None:
    """Its connections closed with it: nobody has to wait for the lease to end."""
    async with lab() as here:
        worker = await _settled(here)
        await _age(here, worker, 700)

        ticks = await _buried(here, 2)

        assert ticks == [0, 1]
        assert await here.waiting() == {"re": 1}


async def test_a_worker_that_still_listens_keeps_its_lease(lab: Labs) -> None:
    """A machine that is merely paused holds its connections: the lease decides."""
    async with lab() as here:
        worker = await _settled(here)
        async with here.subscribed(here.keys.control(worker.worker_id)):
            await _age(here, worker, 700)

            ticks = await _buried(here, 3)

        assert ticks == [0, 0, 0]


async def test_a_beat_between_two_ticks_ends_the_doubt(lab: Labs) -> None:
    """One lost connection is no death: it has to be silent twice in a row."""
    async with lab() as here:
        worker = await _settled(here)
        await _age(here, worker, 700)
        await here.tick()

        await worker.beat({})
        await _age(here, worker, 700)

        assert await _buried(here, 1) == [0]


async def test_after_a_restart_of_redis_connections_get_a_lease_to_come_back(lab: Labs) -> None:
    """Everybody is silent and deaf then; that says nothing of anybody."""
    async with lab() as here:
        worker = await _settled(here)
        await here.redis("HSET", here.tick_key, "run_id", "another")
        await _age(here, worker, 700)

        ticks = await _buried(here, 3)

        assert ticks == [0, 0, 0]


async def test_after_a_stall_connections_get_a_lease_to_come_back(lab: Labs) -> None:
    """Redis stood still and nobody ticked: who was cut off by that is not gone."""
    async with lab() as here:
        worker = await _settled(here)
        await here.redis("HSET", here.tick_key, "at", await here.now_ms() - 4_000)
        await here.queue.reap()
        await _age(here, worker, 700)

        ticks = await _buried(here, 3)

        assert ticks == [0, 0, 0]


async def test_a_worker_that_renews_may_be_deaf(lab: Labs) -> None:
    """Its control channel broke, and its flushes still come: it lives, and its streams go on."""
    async with lab() as here:
        worker = await _settled(here)

        ticks: list[int] = []
        for _ in range(3):
            await _age(here, worker, 0)
            ticks += await _buried(here, 1)

        assert ticks == [0, 0, 0]


async def test_a_worker_gets_a_lease_to_begin_to_listen(lab: Labs) -> None:
    """It has just registered: that nobody holds its channel says nothing yet."""
    async with lab() as here:
        worker = await _settled(here)
        await _age(here, worker, 700)
        await here.redis("HSET", here.keys.worker(worker.worker_id), "since", await here.now_ms())

        ticks = await _buried(here, 3)

        assert ticks == [0, 0, 0]


async def test_a_worker_that_never_listened_is_judged_by_its_lease(lab: Labs) -> None:
    """Silence proves something only of those that could be heard."""
    async with lab() as here:
        worker = await _settled(here)
        await _age(here, worker, 700)
        await here.redis("HSET", here.keys.worker(worker.worker_id), "listens", 0)

        ticks = await _buried(here, 3)

        assert ticks == [0, 0, 0]
