"""What can be read about the pool."""

import asyncio

from shared.connection import Broker

from .conftest import Eventually, Serving
from .hand import MODEL, refusal

PROMPT = {"prompt": "x"}


async def test_health_is_green_only_when_a_token_would_come(serving: Serving, eventually: Eventually) -> None:
    """No worker is a reason to be unhealthy; the process alone is asked about elsewhere."""
    async with serving(has_worker=False) as served:
        assert refusal(await served.http.get("/health")) == (503, "no_worker", None)
        assert (await served.http.get("/health/live")).json() == {"status": "ok"}

        await served.hand.join()

        async def is_green() -> bool:
            return (await served.http.get("/health")).status_code == 200

        await eventually(is_green)
        assert (await served.http.get("/health")).json()["slots"] == 4


async def test_the_pool_shows_workers_models_and_queues(serving: Serving, eventually: Eventually) -> None:
    """Every worker with its slots, every queue with what waits and runs."""
    async with serving() as served:
        background = PROMPT | {"background": True, "stream": False}
        for _ in range(2):
            await served.http.post("/chat", json=background)
        await served.hand.claim()

        async def shows_them() -> bool:
            [queue] = (await served.http.get("/pool")).json()["queues"]
            return (queue["model"], queue["waiting"], queue["running"]) == (MODEL, 1, 1)

        await eventually(shows_them)
        pool = (await served.http.get("/pool")).json()
        [worker], [model] = pool["workers"], pool["models"]
        assert worker["id"] == served.hand.name
        assert (worker["state"], worker["slots"]) == ("ready", 4)
        assert (model["id"], model["ready_workers"]) == (MODEL, 1)
        assert (model["loaded"], model["loading"]) == (True, None)
        assert pool["queues"][0]["expected_wait_ms_by_class"] == {"hi": 0, "std": 0, "lo": 0}


async def test_metrics_tell_of_this_process_and_on_request_of_the_pool(serving: Serving) -> None:
    """Prometheus scrapes every gateway, and the pool at one of them; a person gets a summary."""
    async with serving() as served:
        await served.run(PROMPT, "a", "b", "c")

        own = (await served.http.get("/metrics")).text
        pool = (await served.http.get("/metrics", params={"scope": "pool"})).text
        summary = (await served.http.get("/metrics", headers={"accept": "application/json"})).json()

        assert "mlx_pool_gateway_tokens_total 3.0" in own
        assert 'mlx_pool_gateway_answers_total{method="POST",route="/chat",status="200"} 1.0' in own
        assert f'mlx_pool_worker_slots{{model="{MODEL}",worker="{served.hand.name}"}} 4.0' in pool
        assert f'mlx_pool_worker_pressure{{model="{MODEL}",worker="{served.hand.name}"}} 0.0' in pool
        assert "mlx_pool_gateway" not in pool
        assert (summary["ready"], summary["workers"], summary["queue_length"]) == (True, 1, 0)


async def test_a_monitor_costs_redis_two_questions_a_second(serving: Serving) -> None:
    """However many ask, one queue is surveyed at most each half second."""
    async with serving() as served:
        await served.http.get("/pool")
        before = await calls(served.hand.broker)
        await asyncio.gather(*(served.http.get("/pool") for _ in range(50)))

        assert await calls(served.hand.broker) - before < 10


async def calls(broker: Broker) -> int:
    """How often workers were listed, which only a survey does."""
    stats: dict[str, dict[str, int]] = await broker.command("INFO", "commandstats")
    return stats.get("cmdstat_zrange", {}).get("calls", 0)


async def test_the_index_lists_the_routes(serving: Serving) -> None:
    """Whoever opens the address in a browser learns what there is."""
    async with serving() as served:
        assert "/chat/{id}" in (await served.http.get("/")).text


async def test_the_model_may_be_left_out_when_it_is_clear(serving: Serving) -> None:
    """One model served: no name is needed."""
    async with serving() as served:
        answer = await served.run(PROMPT | {"stream": False}, "a")

        assert answer.json()["model"] == MODEL


async def test_a_request_keeps_its_id(serving: Serving) -> None:
    """The caller's request id comes back, so that two logs can be laid side by side; a strange one is replaced."""
    async with serving() as served:
        kept = await served.http.get("/health/live", headers={"x-request-id": "abc-1.2"})
        replaced = await served.http.get("/health/live", headers={"x-request-id": "a b;c"})

        assert kept.headers["x-request-id"] == "abc-1.2"
        assert len(replaced.headers["x-request-id"]) == 16


async def test_what_a_worker_garbles_hides_nobody(serving: Serving, eventually: Eventually) -> None:
    """What can be read of it is shown, and the gateway serves on."""
    async with serving() as served:
        served.hand.tells |= {"loads": 1.5, "tokens_done": "many", "note": "I am here"}

        async def is_shown() -> bool:
            workers = (await served.http.get("/pool")).json()["workers"]
            return [worker.get("note") for worker in workers] == ["I am here"]

        await eventually(is_shown)
        assert (await served.http.get("/health")).status_code == 200
