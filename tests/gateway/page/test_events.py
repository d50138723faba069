"""`/pool/events`: what every open page is told, and what that costs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx

from shared.event import Error
from tests.conftest import Broker
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, Served
from tests.gateway.test_views import calls

Told = tuple[str, dict[str, Any]]


@contextlib.asynccontextmanager
async def listening(served: Served, **headers: str) -> AsyncGenerator[AsyncIterator[Told]]:
    """A page's stream."""
    async with served.http.stream("GET", "/pool/events", headers=headers) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        yield events_in(answer)


async def events_in(answer: httpx.Response) -> AsyncGenerator[Told]:
    """Its events, by name."""
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


async def test_a_page_is_told_all_of_it_and_then_what_is_new(serving: Serving) -> None:
    """The last minutes at once, so that plots begin where they would be; then the pool as it is, each second."""
    async with serving() as served, listening(served) as events:
        name, hello = await anext(events)
        again, now = await anext(events)

        assert (name, again) == ("hello", "now")
        assert hello["may_operate"] is True
        assert [worker["id"] for worker in now["workers"]] == [served.hand.name]
        assert [queue["model"] for queue in hello["now"]["queues"]] == [MODEL]
        assert now["point"]["at_ms"] > hello["points"][-1]["at_ms"]
        assert list(hello["paces"]) == [served.hand.name]


async def test_ten_pages_cost_redis_no_more_than_one(serving: Serving) -> None:
    """One look a second, whoever looks on; all are told the same."""
    async with serving() as served, contextlib.AsyncExitStack() as pages:
        streams = [await pages.enter_async_context(listening(served)) for _ in range(10)]
        for events in streams:
            await anext(events)
        before = await calls(served.hand.broker)
        told = await asyncio.gather(*(_next(events, 3) for events in streams))

        assert await calls(served.hand.broker) - before <= 8
        assert len({json.dumps(some[-1]["point"]) for some in told}) <= 2


async def _next(events: AsyncIterator[Told], count: int) -> list[dict[str, Any]]:
    return [(await anext(events))[1] for _ in range(count)]


async def test_a_gateway_that_drains_waits_for_no_page(serving: Serving) -> None:
    """A page is no stream that somebody waits for: it is ended at once, and looks for another gateway."""
    async with serving(drain_s=20) as served, listening(served) as events:
        await anext(events)

        served.drain.begin()

        async with asyncio.timeout(5):
            assert [name for name, _ in [event async for event in events]] in ([], ["now"])


async def test_a_job_that_fails_is_told_of(serving: Serving, eventually: Eventually) -> None:
    """With its id, so that its life can be looked at, and no word of what it was about."""
    async with serving() as served, listening(served) as events:
        async with served.follow({"prompt": "a secret"}) as following:
            job = await served.hand.claim()
            await served.hand.end(job, served.hand.started(job), Error(code="engine_failed", message="m"))
            await following.end()

        async def is_told() -> bool:
            _, now = await anext(events)
            told = now.get("now", now)["incidents"]
            assert "secret" not in json.dumps(told)
            return [(each["kind"], each["job"], each["what"]) for each in told] == [
                ("job_failed", job.id, "engine_failed")
            ]

        await eventually(is_told)


async def test_only_operators_learn_whose_jobs_failed(
    serving: Serving, keys: GivenKeys, eventually: Eventually
) -> None:
    """A job is its tenant's: to others even its id is nothing, also where they looked on when it failed."""
    who, operator = keys.give("who"), keys.give("op", may_operate=True)
    async with serving(keys=keys.path) as served, listening(served, **who) as events:
        async with served.follow({"prompt": "x"}, **operator) as following:
            job = await served.hand.claim()
            await served.hand.end(job, served.hand.started(job), Error(code="engine_failed", message="m"))
            await following.end()

        async def is_told() -> bool:
            _, now = await anext(events)
            return [(each["kind"], each["job"]) for each in now.get("now", now)["incidents"]] == [("job_failed", "")]

        await eventually(is_told)
        async with listening(served, **who) as later, listening(served, **operator) as operators:
            told = [(await anext(each))[1]["now"]["incidents"][0]["job"] for each in (later, operators)]

        assert told == ["", job.id]


async def test_only_operators_learn_the_queues_address(serving: Serving, keys: GivenKeys) -> None:
    """And nobody its password."""
    who, operator = keys.give("who"), keys.give("op", may_operate=True)
    async with serving(keys=keys.path) as served:
        told: list[dict[str, Any]] = []
        for headers in (who, operator):
            async with listening(served, **headers) as events:
                told.append((await anext(events))[1])

        assert [hello["may_operate"] for hello in told] == [False, True]
        assert told[0]["queue_url"] is None
        assert told[1]["queue_url"].startswith("redis://127.0.0.1:")


async def test_a_silent_redis_is_told_of_and_the_last_state_stays(own_broker: Broker, serving: Serving) -> None:
    """A page that went blank would say less than one that says since when it is blind."""
    async with serving(url=own_broker.url) as served, listening(served) as events:
        await anext(events)
        own_broker.kill()
        async with asyncio.timeout(15):
            _, now = await anext(events)
            while now["fault"] is None:
                _, now = await anext(events)
        own_broker.start()

        assert now["fault"] == "broker_down"
        assert [worker["id"] for worker in now["workers"]] == [served.hand.name]
