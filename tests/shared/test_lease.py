"""Leases: how a worker begins, stays and is told apart from one with other weights."""

import asyncio

import pytest

from shared.claims import Claims, LeaseLost
from shared.errors import Refused
from shared.pool import Pool

from .conftest import BODY, Lab, Labs


async def _lease_left_ms(here: Lab, worker: Claims) -> float:
    return float(await here.redis("ZSCORE", here.keys.workers, worker.worker_id)) - await here.now_ms()


async def test_a_first_worker_makes_the_queue(lab: Labs) -> None:
    """The pool knows the model from then on, and every class has its group."""
    async with lab() as here:
        await here.worker()

        assert await Pool(here.client).models() == {"m"}
        for job_class in ("re", "hi", "std", "lo", "sus"):
            (group,) = await here.redis("XINFO", "GROUPS", here.keys.jobs(job_class))
            assert b"workers" in (group.values() if isinstance(group, dict) else group)


async def test_a_redis_that_died_before_any_tick_buries_nobody(lab: Labs) -> None:
    """The reapers' clock runs from the first worker on, so that the time it was away is given back."""
    async with lab() as here:
        worker = await here.worker()
        began = float(await here.redis("HGET", here.tick_key, "at"))
        await here.redis("HSET", here.tick_key, "at", began - 5_000)
        await here.redis("ZADD", here.keys.workers, began - 3_000, worker.worker_id)

        reaped = await here.queue.reap()

        assert reaped
        assert reaped.workers == 0


async def test_a_beat_renews_the_lease_and_tells_of_the_worker(lab: Labs) -> None:
    """What it says stands in its hash, which lives a few leases longer than it."""
    async with lab() as here:
        worker = await here.worker()
        await here.let_lease_end(worker)

        wanted = await worker.beat({"busy": 3})

        assert wanted == ""
        assert 0 < await _lease_left_ms(here, worker) <= 2_000
        assert await here.redis("HGET", here.keys.worker(worker.worker_id), "busy") == b"3"
        assert 0 < await here.redis("PTTL", here.keys.worker(worker.worker_id)) <= 10_000


async def test_a_beat_names_the_queue_again_that_a_crash_forgot(lab: Labs) -> None:
    """The last of what a worker's beginning wrote was lost with Redis's last second; the rest was not."""
    async with lab() as here:
        worker = await here.worker()
        await here.redis("DEL", "pool:models")

        await worker.beat({})

        assert await Pool(here.client).models() == {"m"}


async def test_a_buried_workers_beat_says_so(lab: Labs) -> None:
    """It must not come back to life under a name whose jobs others run."""
    async with lab() as here:
        worker = await here.worker()
        await here.bury(worker)

        with pytest.raises(LeaseLost):
            await worker.beat({})

        assert await here.redis("ZCARD", here.keys.workers) == 0


async def test_an_operators_wish_comes_with_the_beat(lab: Labs) -> None:
    """`wanted` in a worker's hash is how a machine is asked to drain."""
    async with lab() as here:
        worker = await here.worker()
        await here.redis("HSET", here.keys.worker(worker.worker_id), "wanted", "drain")

        assert await worker.beat({}) == "drain"


async def test_other_weights_under_one_name_are_refused(lab: Labs) -> None:
    """A job must be able to move between any two workers of a queue."""
    async with lab() as here:
        await here.worker(fingerprint="weights")

        with pytest.raises(Refused) as refused:
            await here.worker(fingerprint="other weights")

        assert refused.value.param == "model"
        assert len((await here.queue.survey()).workers) == 1


async def test_of_two_that_start_together_one_sets_the_weights(lab: Labs) -> None:
    """They load for minutes and are ready in the same moment: one serves, one is refused, and none half."""
    async with lab() as here:
        names = [f"mac{n}.1.w" for n in range(2)]
        workers = [Claims(here.client, "m", name, host=name.partition(".")[0]) for name in names]
        for worker in workers:
            await worker.register("", {"state": "loading"})

        ends = await asyncio.gather(
            *(worker.register(f"weights {n}", {"state": "ready"}) for n, worker in enumerate(workers)),
            return_exceptions=True,
        )

        assert sorted(isinstance(end, Refused) for end in ends) == [False, True]


async def test_other_weights_are_welcome_when_nobody_serves(lab: Labs) -> None:
    """A model was upgraded: with no live worker and nothing running, the queue is the new one's."""
    async with lab() as here:
        old = await here.worker(fingerprint="old")
        await here.bury(old)
        await here.xadd(body=BODY)

        new = await here.worker(fingerprint="new")

        assert await here.redis("HGET", f"{here.keys.prefix}:model", "fingerprint") == b"new"
        assert len(await here.claim(new)) == 1


@pytest.mark.parametrize("state", ["standby", "loading"])
async def test_who_has_loaded_nothing_keeps_nobody_from_other_weights(lab: Labs, state: str) -> None:
    """It would have been told itself that it comes too late, once it has loaded."""
    async with lab() as here:
        old = await here.worker(fingerprint="old")
        await old.beat({"state": state})

        await here.worker(fingerprint="new")

        with pytest.raises(Refused):
            await old.register("old", {"state": "ready"})


async def test_other_weights_wait_for_what_still_runs(lab: Labs) -> None:
    """A job that is pending was begun by the old weights; it goes back to the queue first."""
    async with lab() as here:
        old = await here.worker(fingerprint="old")
        await here.running("a", old)
        await here.let_lease_end(old)

        with pytest.raises(Refused):
            await here.worker(fingerprint="new")

        await here.tick()
        await here.worker(fingerprint="new")


async def test_a_worker_that_loads_is_no_obstacle(lab: Labs) -> None:
    """It has not said yet what it will serve, and it serves nothing."""
    async with lab() as here:
        await here.worker(fingerprint="", state="loading")

        ready = await here.worker(fingerprint="weights")

        assert await ready.beat({}) == ""
