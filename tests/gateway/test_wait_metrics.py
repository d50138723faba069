"""How long jobs waited, as a monitor is told, and what else of waiting stands in a scrape."""

import time
from pathlib import Path

from gateway.course import Course
from gateway.delivery import Delivery, Text
from gateway.metrics.distribution import Distribution
from gateway.metrics.figures import Figures, Kind
from gateway.metrics.waits import MOST_TENANTS, OTHERS, WAIT_S, Waits
from shared.event import Queued, Started
from tests.gateway.access.conftest import GivenKeys

from .conftest import Eventually, Serving
from .hand import MODEL
from .metrics_text import samples_of, value_of

PROMPT = {"prompt": "x"}
STARTED = Started(worker="w", attempt=1, seed=1, prompt_tokens=3, prompt_hash="x")
NAME = "mlx_pool_gateway_wait_seconds"


def test_a_wait_is_counted_once_when_it_is_over() -> None:
    """From the request's receipt to the first worker's beginning; a second one is no second wait."""
    course = Course("j", Kind("m", "chat"), Figures(), time.monotonic() - 2.0)
    waited = course.wait_s = Distribution(WAIT_S)

    course.note([Delivery(0, 0, 0, Queued(waiting=1))])
    assert waited.count == 0
    course.note([Delivery(1, 0, 0, STARTED), Delivery(2, 1, 0, Text("token"))])
    course.note([Delivery(3, 1, 0, STARTED)])

    assert waited.count == 1
    assert 2.0 <= waited.sum < 2.5


def test_tenants_beyond_the_bound_are_counted_as_one() -> None:
    """However many keys an operator gives out, the time series stay few."""
    waits = Waits()
    for number in range(MOST_TENANTS + 5):
        for job_class in ("std", "hi"):
            waits.of(job_class, f"t{number}").add(1.0)
    waits.of("lo", "t0").add(1.0)

    counted = {labels: each.count for labels, each in waits}
    assert len({tenant for _, tenant in counted}) == MOST_TENANTS + 1
    assert counted["std", OTHERS] == counted["hi", OTHERS] == 5
    assert counted["lo", "t0"] == 1


async def test_waits_are_told_by_class_and_to_operators_by_tenant(serving: Serving, tmp_path: Path) -> None:
    """The tenants are the operator's own names; who has none is the empty one. No tenant learns of another."""
    keys = GivenKeys(tmp_path / "keys.json")
    who = keys.give("who", tenant="mobile")
    async with serving(key="shared", keys=keys.path) as served:
        for headers, job in ((who, PROMPT), (who, PROMPT | {"class": "lo"}), ({"x-api-key": "shared"}, PROMPT)):
            served.http.headers = headers
            await served.run(job, "a")

        samples = samples_of((await served.http.get("/metrics")).text)
        served.http.headers = who
        seen_by_tenant = (await served.http.get("/metrics")).text

        assert "mobile" not in seen_by_tenant
        assert value_of(seen_by_tenant, f"{NAME}_count", {"class": "std", "tenant": ""}) == 2
        counts = {labels: value for (name, labels), value in samples.items() if name == f"{NAME}_count"}
        assert counts == {
            frozenset({"class": job_class, "tenant": tenant}.items()): 1.0
            for job_class, tenant in (("std", "mobile"), ("lo", "mobile"), ("std", ""))
        }


async def test_what_workers_load_and_how_long_new_jobs_wait_is_told(serving: Serving, eventually: Eventually) -> None:
    """Of the pool, by one gateway: counts that only grow, and an expectation where there is one."""
    async with serving() as served:
        of_worker = {"model": MODEL, "worker": served.hand.name}
        served.hand.tells = {"loads": 3, "unloads": 2}

        async def is_told() -> bool:
            text = (await served.http.get("/metrics", params={"scope": "pool"})).text
            counts = [value_of(text, f"mlx_pool_worker_{name}_total", of_worker) for name in ("loads", "unloads")]
            wait_s = value_of(text, "mlx_pool_expected_wait_seconds", {"model": MODEL, "class": "hi"})
            return (counts, wait_s) == ([3, 2], 0)

        await eventually(is_told)
