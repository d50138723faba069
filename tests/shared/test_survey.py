"""What can be seen: of a queue, its workers, a job, the limits, the pool."""

from typing import Any

import msgspec
import pytest

from shared.claims import Row
from shared.keys import Keys
from shared.limits import Limits, read_limits, write_limits
from shared.pool import Pool
from shared.queue import Peek, keyed_job_id, new_job_id
from shared.survey import Survey, WorkerView
from shared.waits import Waited

from .conftest import BODY, Labs, done


async def test_waiting_and_running_add_up(lab: Labs) -> None:
    """One instant: what was submitted is waiting, running or over, and counted once."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("a", "b", "c")
        await here.submit("d", job_class="lo")
        await here.xadd(body=BODY)
        await here.claim_one(worker)

        survey = await here.queue.survey()

        assert (survey.waiting_total, survey.running) == (4, 1)
        assert survey.waiting == {"re": 0, "hi": 0, "std": 3, "lo": 1, "sus": 0}
        assert survey.dead_letters == 0


async def test_a_queue_that_nobody_has_made_is_empty(lab: Labs) -> None:
    """To look is never an error, and makes no key."""
    async with lab() as here:
        survey = await here.queue.survey()

        assert (survey.waiting_total, survey.running, survey.oldest_wait_ms, survey.workers) == (0, 0, 0, [])
        assert await here.redis("KEYS", "*") == []


async def test_a_worker_is_seen_as_it_told_of_itself(lab: Labs) -> None:
    """Slots, load and state are those of its last beat; fields of a newer version are skipped."""
    async with lab() as here:
        worker = await here.worker("mac1")
        await worker.beat({"host": "mac1", "slots": 8, "busy": 3, "tokens_per_second": 41.5, "of a later version": 1})

        (view,) = (await here.queue.survey()).workers

        assert (view.id, view.host, view.state) == (worker.worker_id, "mac1", "ready")
        assert (view.slots, view.busy, view.tokens_per_second) == (8, 3, 41.5)
        assert view.is_ready


async def test_a_worker_whose_hash_is_gone_is_seen_as_gone(lab: Labs) -> None:
    """Only its lease is left: it takes no jobs, and the survey does not stumble."""
    async with lab() as here:
        worker = await here.worker()
        await here.redis("DEL", here.keys.worker(worker.worker_id))

        survey = await here.queue.survey()

        assert [view.state for view in survey.workers] == ["gone"]
        assert survey.ready_workers == []


async def test_the_oldest_wait_is_told(lab: Labs) -> None:
    """How long the first in line has waited is the most honest figure that a queue has."""
    async with lab() as here:
        now = await here.now_ms()
        await here.redis("XADD", here.keys.jobs("std"), f"{now - 5_000}-0", "body", BODY)

        survey = await here.queue.survey()

        assert 5_000 <= survey.oldest_wait_ms < 6_000


async def test_the_oldest_wait_is_told_of_what_workers_have_seen(lab: Labs) -> None:
    """Being seen is not being served: the first of the window is the first in line."""
    async with lab() as here:
        worker = await here.worker()
        now = await here.now_ms()
        for age_ms in (5_000, 3_000, 1_000):
            await here.redis("XADD", here.keys.jobs("std"), f"{now - age_ms}-0", "body", BODY)

        await worker.look()

        assert 5_000 <= (await here.queue.survey()).oldest_wait_ms < 6_000


async def test_many_jobs_are_peeked_at_in_one_call(lab: Labs) -> None:
    """State, last seq, attempt, tenant and birth for each, None for what is unknown."""
    async with lab() as here:
        born = await here.now_ms()
        worker = await here.worker()
        await here.submit("waits", tenant="t")
        await here.claim_one(worker)
        await here.submit("ends")
        await here.claim_one(worker)
        await worker.finish(Row("ends", 1, 1, [done(1)]), "done")

        waits, unknown, ends = await here.queue.peek(["waits", "unknown", "ends"])

        assert waits
        assert ends
        assert born <= waits.enqueued_at_ms <= ends.enqueued_at_ms
        assert waits == Peek("running", 0, 1, "t", waits.enqueued_at_ms)
        assert unknown is None
        assert ends == Peek("ended", 1, 1, "", ends.enqueued_at_ms)


def _survey(*workers: WorkerView, waiting: int = 0) -> Survey:
    return Survey("m", 0, {"std": waiting}, 0, 0, list(workers), 0)


@pytest.mark.parametrize(
    ("waiting", "slots", "rate", "expected_ms"),
    [(0, 4, 0.0, 0), (3, 4, 0.0, 0), (4, 4, 0.0, None), (9, 0, 2.0, 5_000), (0, 0, 0.5, 2_000)],
)
def test_the_expected_wait_is_what_the_workers_ends_a_second_say(
    waiting: int, slots: int, rate: float, expected_ms: int | None
) -> None:
    """Nothing with a free slot, unknown without figures, else as long as those before it take to get theirs."""
    worker = WorkerView("w", state="ready", slots=slots, jobs_per_second=rate, lease_ends_in_ms=1_000)

    assert _survey(worker, waiting=waiting).expected_wait_ms == expected_ms


def test_a_wait_is_measured_by_how_long_a_job_has_its_seat() -> None:
    """Ends a second say little of a pool that was idle before the burst, and nothing of jobs that take minutes."""
    busy: dict[str, Any] = {"state": "ready", "lease_ends_in_ms": 1_000, "jobs_per_second": 0.1, "job_seconds": 2.0}
    full = WorkerView("a", slots=4, busy=4, **busy)
    short = WorkerView("b", slots=4, busy=2, pressure="soft", **busy)

    assert _survey(full).wait_ms_behind(7) == 4_000
    assert _survey(full, short).wait_ms_behind(8) == 3_000  # six seats: where memory is short, the others are none


async def test_what_workers_have_measured_is_put_together(lab: Labs) -> None:
    """Of those that live; what one tells that cannot be read says nothing."""
    async with lab() as here:
        for waits in ('{"std.s":[1,200,2]}', '{"std.s":[2,300,4],"hi.m":[1,100,1]}', "{"):
            await (await here.worker()).beat({"waits": waits})
        late = await here.worker()
        await late.beat({"waits": '{"std.s":[9,9,9]}'})
        await here.redis("ZADD", here.keys.workers, await here.now_ms() - 1, late.worker_id)

        survey = await here.queue.survey()

        assert survey.waits == {"std.s": Waited(3, 500, 6), "hi.m": Waited(1, 100, 1)}


@pytest.mark.parametrize(
    ("state", "told", "may_serve", "loading"),
    [
        ("ready", {}, True, None),
        ("standby", {}, True, None),
        ("loading", {"progress": 0.5}, True, 0.5),
        ("loading", {"progress": 7.0, "pinned": True}, False, 1.0),
        ("draining", {}, False, None),
        ("ready", {"lease_ends_in_ms": 0}, False, None),
    ],
    ids=["ready", "stands by", "loads on demand", "loads what is pinned", "drains", "gone"],
)
def test_a_worker_that_loads_on_demand_may_serve(
    state: str, told: dict[str, Any], *, may_serve: bool, loading: float | None
) -> None:
    """A model that is loaded at the start only serves when it is there; how far a loading is is told of both."""
    worker = msgspec.structs.replace(WorkerView("w", state=state, lease_ends_in_ms=1_000), **told)

    assert (_survey(worker).may_serve, _survey(worker).loading) == (may_serve, loading)


def test_while_one_is_ready_nobody_waits_for_a_loading() -> None:
    """What others load is of no concern to who asks."""
    ready = WorkerView("a", state="ready", lease_ends_in_ms=1_000)
    loading = WorkerView("b", state="loading", lease_ends_in_ms=1_000, progress=0.5)

    assert _survey(ready, loading).loading is None


def test_a_worker_that_does_not_take_jobs_has_no_free_slots() -> None:
    """Loading, draining or late with its lease: its empty seats are nobody's."""
    seats = [
        WorkerView("a", state="draining", slots=4, lease_ends_in_ms=1_000),
        WorkerView("b", state="ready", slots=4, lease_ends_in_ms=-1),
        WorkerView("c", state="ready", slots=4, busy=1, lease_ends_in_ms=1_000),
    ]

    assert _survey(*seats).free_slots == 3


def test_a_worker_short_of_memory_has_room_for_one_job_if_it_has_none() -> None:
    """It takes no second one, however many seats it has."""
    idle = WorkerView("a", state="ready", slots=4, pressure="soft", lease_ends_in_ms=1_000)
    busy = WorkerView("b", state="ready", slots=4, busy=1, pressure="hard", lease_ends_in_ms=1_000)

    assert _survey(idle, busy).free_slots == 1


async def test_limits_have_defaults_and_can_be_set(lab: Labs) -> None:
    """All producers and scripts see the same figures; what nobody set is the default, in the scripts too."""
    async with lab() as here:
        assert await read_limits(here.client, "m") == Limits()

        await write_limits(here.client, "m", {"waiting": 5})
        await write_limits(here.client, "m", {"waiting": 7, "wait_ms": 9}, overwrite=False)

        assert await read_limits(here.client, "m") == Limits(waiting=5, wait_ms=9)


@pytest.mark.parametrize("change", [{"wating": 5}, {"waiting": 0}, {"retention_ms": 59_999}, {"wait_ms": 10**20}])
async def test_a_limit_that_makes_no_sense_is_refused(lab: Labs, change: dict[str, int]) -> None:
    """A typing mistake is an error with the names that there are, not a field that nobody reads."""
    async with lab() as here:
        with pytest.raises(ValueError, match=r"there are waiting, tenant_waiting, body_bytes|it must be"):
            await write_limits(here.client, "m", change)

        assert await here.redis("EXISTS", here.keys.limits) == 0


async def test_a_limit_that_is_no_number_is_the_default(lab: Labs) -> None:
    """As it is for the scripts: what was written by hand breaks no gateway."""
    async with lab() as here:
        await here.redis("HSET", here.keys.limits, "waiting", "many", "wait_ms", b"\xff", "orphan_ms", 9)

        assert await read_limits(here.client, "m") == Limits(orphan_ms=9)


async def test_an_id_leads_to_its_queue(lab: Labs) -> None:
    """A gateway's ids name their queue; for chosen ones each queue is asked."""
    async with lab() as here:
        pool = Pool(here.client)
        await here.redis("SADD", "pool:models", "m", "other")
        await here.submit("chosen")

        found = [await pool.queue_of(each) for each in (new_job_id("other"), "chosen", "unknown")]

        assert [queue.model if queue else None for queue in found] == ["other", "m", None]


def test_an_idempotency_key_is_one_id_for_one_tenant() -> None:
    """The same key means the same job to the same tenant, and nothing to another."""
    ids = {keyed_job_id("m", *pair) for pair in [("a", "k"), ("a", "k"), ("b", "k"), ("a", "k2"), ("ak", "")]}

    assert len(ids) == 4
    assert all(len(each) == 41 for each in ids)


def test_all_keys_of_a_queue_share_one_hash_tag() -> None:
    """One tag is one slot: each script is atomic in a cluster too."""
    keys = Keys("org/model")

    names = [keys.limits, keys.workers, keys.dead, keys.jobs("std"), keys.job("x"), keys.log("x"), keys.channel("x")]

    assert {name.partition("}")[0] for name in names} == {"pool:{org/model"}
