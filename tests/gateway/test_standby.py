"""A model that is loaded when a job asks for it is served like any other."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from functools import partial

from gateway.surveys import Surveys
from shared.connection import Broker
from shared.pool import Pool

from .conftest import Eventually, Serving
from .hand import MODEL, Hand, Served, refusal

PROMPT = {"prompt": "x", "stream": False}
STANDBY: dict[str, str | int | float] = {"state": "standby", "slots": 0, "load_s": 9.0}


async def is_told(served: Served, **told: object) -> bool:
    """Whether the gateway tells this of its model."""
    models = (await served.http.get("/pool")).json()["models"]
    return any(model["id"] == MODEL and told.items() <= model.items() for model in models)


@contextlib.asynccontextmanager
async def also(broker: Broker, model: str, state: str) -> AsyncGenerator[None]:
    """One more queue, with a worker in this state."""
    hand = Hand(broker, model, "host.2.bbbb")
    hand.tells = {"state": state}
    await hand.join()
    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(hand.beat())
        yield
        beating.cancel()


async def test_a_pool_whose_workers_stand_by_is_healthy(serving: Serving, eventually: Eventually) -> None:
    """A proxy that went by anything else would send no job, and nothing would ever be loaded."""
    async with serving() as served:
        for tells in (STANDBY, {"state": "loading", "progress": 0.5}):
            served.hand.tells = tells
            await eventually(partial(is_told, served, loaded=False, loading=tells.get("progress")))

            health = await served.http.get("/health")
            assert (health.status_code, health.json()["ready"], health.json()["workers"]) == (200, True, 0)


async def test_a_pool_that_still_loads_what_it_always_has_is_not(serving: Serving, eventually: Eventually) -> None:
    """As ever: its first token would come once that is done."""
    async with serving() as served:
        served.hand.tells = {"state": "loading", "pinned": 1}

        async def is_red() -> bool:
            return (await served.http.get("/health")).status_code == 503

        await eventually(is_red)
        assert refusal(await served.http.get("/health")) == (503, "no_worker", None)


async def test_a_model_that_nobody_has_loaded_is_listed(serving: Serving, eventually: Eventually) -> None:
    """By every API, and by its own name, whether it is loaded or not."""
    async with serving() as served:
        served.hand.tells = STANDBY
        await eventually(partial(is_told, served, loaded=False, ready_workers=0))

        listed = (await served.http.get("/v1/models")).json()["data"]
        one = await served.http.get(f"/v1/models/{MODEL}", headers={"anthropic-version": "2023-06-01"})
        assert [model["id"] for model in listed] == [MODEL]
        assert one.json()["id"] == MODEL


async def test_a_job_for_a_model_that_is_not_loaded_is_taken(serving: Serving, eventually: Eventually) -> None:
    """Who stands by is a worker: its queue is not without, however long nobody was ready."""
    async with serving() as served:
        served.hand.tells = STANDBY
        await eventually(partial(is_told, served, loaded=False))

        surveys = Surveys(Pool(served.hand.broker))
        await surveys.of(MODEL)
        assert surveys.without_worker_s(MODEL) < surveys.without_worker_s("of nobody")
        assert (await served.run(PROMPT, "a")).json()["model"] == MODEL


async def test_who_names_no_model_gets_the_one_that_is_loaded(serving: Serving, eventually: Eventually) -> None:
    """Others that could be loaded are not meant; of several that are loaded, one has to be named."""
    async with serving() as served:
        async with also(served.hand.broker, "another", "standby"):
            await eventually(partial(has_models, served, 2))
            assert (await served.run(PROMPT, "a")).json()["model"] == MODEL

        async with also(served.hand.broker, "a-third", "ready"):
            await eventually(partial(has_models, served, 3))
            assert refusal(await served.http.post("/chat", json=PROMPT)) == (400, "missing_field", "model")


async def has_models(served: Served, count: int) -> bool:
    """Whether the gateway knows of so many."""
    return len((await served.http.get("/pool")).json()["models"]) == count
