"""The life of a request, in eight tests: read these first.

Each starts a real pool (Valkey, a gateway, workers; see conftest.py). The workers run the scripted engine, which has no
model: what it writes is a hash of prompt, seed and all ids so far, so a test knows every answer beforehand
(`expected`), and the slightest seam in a stream shows.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec

from shared.job import Ask, seed_of
from worker.engine.scripted.oracle import expected

StartPool = Callable[..., Any]
Event = dict[str, Any]


def text_of(events: list[Event]) -> str:
    """What a client would have read."""
    return "".join(event.get("content", "") for event in events if event["status"] == "token")


def answer(ask: Ask, job_id: str) -> str:
    """What the scripted engine says to an ask, under the seed of the job's id."""
    return expected(ask, seed_of(job_id), ask.max_tokens).text


async def events_of(response: httpx.Response) -> AsyncIterator[Event]:
    """The events of an NDJSON stream, as they come."""
    async for line in response.aiter_lines():
        if line:
            yield json.loads(line)


async def test_a_prompt_becomes_a_stream_of_tokens(start_pool: StartPool) -> None:
    """A gateway turns a request into a job; a worker's tokens come back as they are made, and one `done` ends them."""
    async with (
        start_pool() as pool,
        pool.http.stream("POST", "/chat", json={"prompt": "안녕하세요", "max_tokens": 40}) as response,
    ):
        events = [event async for event in events_of(response)]

    assert response.status_code == 200
    assert [event["status"] for event in events].count("done") == 1
    assert events[-1]["usage"]["completion_tokens"] == 40
    assert text_of(events) == answer(Ask(prompt="안녕하세요", max_tokens=40), response.headers["x-job-id"])


async def test_another_service_needs_only_xadd_and_xread(start_pool: StartPool) -> None:
    """A job is one XADD away for any program that speaks Redis; its tokens are read from the job's log."""
    async with start_pool() as pool, pool.client() as redis:
        body = '{"prompt":"hello","max_tokens":8}'
        entry = await redis.command("XADD", "pool:{scripted}:jobs:std", "*", "body", body)
        job_id = f"std-{entry.decode()}"
        last, events = "0", list[Event]()
        while not events or events[-1]["status"] != "done":
            streams: Any = await redis.command(
                "XREAD", "BLOCK", 1_000, "STREAMS", f"pool:{{scripted}}:log:{job_id}", last
            )
            for _, rows in streams or ():
                last = rows[-1][0].decode()
                events += [json.loads(fields[b"e"]) for _, fields in rows]

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert text_of(events) == answer(Ask(prompt="hello", max_tokens=8), job_id)


async def test_a_stream_that_was_cut_goes_on_where_it_stopped(start_pool: StartPool) -> None:
    """`GET /chat/{id}?after=k` gives exactly the events behind the k-th: the log has them all."""
    async with start_pool() as pool:
        whole = (await pool.http.post("/chat", json={"prompt": "again", "max_tokens": 30})).text.splitlines()
        job_id = (first := json.loads(whole[0]))["id"]

        rest = (await pool.http.get(f"/chat/{job_id}", params={"after": json.loads(whole[4])["seq"]})).text.splitlines()

    assert first["status"] == "started"
    assert rest == whole[5:]


async def test_a_job_outlives_its_worker_in_mid_stream(start_pool: StartPool) -> None:
    """After kill -9 of the worker that runs a job: another one goes on behind its last token, and no seam shows."""
    async with start_pool(workers=2, step_ms=20) as pool:
        ask = {"prompt": "a long story", "max_tokens": 100, "logprobs": 2}
        async with pool.http.stream("POST", "/chat", json=ask) as response:
            events = list[Event]()
            async for event in events_of(response):
                events.append(event)
                if len(events) == 15:
                    pool.workers[0 if events[0]["worker"].startswith("mac-1.") else 1].kill()

    assert [event["status"] for event in events].count("started") == 2
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["usage"]["completion_tokens"] == 100
    whole = expected(Ask(prompt="a long story", max_tokens=100, logprobs=2), seed_of(response.headers["x-job-id"]))
    assert text_of(events) == whole.text
    assert [entry for event in events for entry in event.get("logprobs", ())] == msgspec.to_builtins(whole.logprobs)


async def test_a_client_that_leaves_takes_its_job_along(start_pool: StartPool, eventually: Any) -> None:
    """Nobody reads, so nobody generates: the slot is free again, and the log says why."""
    async with start_pool(step_ms=20) as pool:
        async with pool.http.stream("POST", "/chat", json={"prompt": "never mind", "max_tokens": 4_000}) as response:
            stream = events_of(response)
            await anext(stream)
            await eventually(lambda: pool.busy(1))

        await eventually(lambda: pool.busy(0))
        last = (await pool.http.get(f"/chat/{response.headers['x-job-id']}")).text.splitlines()[-1]

    assert json.loads(last)["status"] == "cancelled"


async def has(pool: Any, name: str, count: int) -> bool:
    """Whether the pool's summary says so."""
    return (await pool.http.get("/metrics", headers={"accept": "application/json"})).json()[name] == count


async def test_a_full_queue_says_so_and_when_to_come_back(start_pool: StartPool, eventually: Any) -> None:
    """What can't be served soon is refused at once, with an honest Retry-After; what was accepted is kept."""
    async with start_pool(slots=1, step_ms=20) as pool, pool.client() as redis:
        await redis.command("HSET", "pool:{scripted}:limits", "waiting", 2)
        long, ask = {"prompt": "busy", "max_tokens": 100}, {"prompt": "busy", "max_tokens": 5}
        accepted = [asyncio.create_task(pool.http.post("/chat", json=long))]
        await eventually(lambda: has(pool, "busy", 1))
        accepted += [asyncio.create_task(pool.http.post("/chat", json=ask)) for _ in range(2)]
        await eventually(lambda: has(pool, "queue_length", 2))
        refused = await pool.http.post("/chat", json=ask)
        answers = await asyncio.gather(*accepted)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "queue_full"
    assert int(refused.headers["retry-after"]) >= 1
    assert [json.loads(each.text.splitlines()[-1])["status"] for each in answers] == ["done"] * 3


async def test_a_mistake_is_answered_by_the_name_of_the_field(start_pool: StartPool) -> None:
    """A bad request is refused with the field that is wrong, whether the gateway or the engine found it."""
    mistakes: dict[str, Event] = {
        "max_tokens": {"prompt": "x", "max_tokens": 0},
        "max_tokenz": {"prompt": "x", "max_tokenz": 1},
        "messages[0].content": {"messages": [{"role": "user"}]},
        "prompt": {"prompt": "x" * 100_000},
    }
    async with start_pool() as pool:
        refused = [await pool.http.post("/chat", json=body) for body in mistakes.values()]

    assert [each.status_code for each in refused] == [400] * len(mistakes)
    assert [each.json()["error"]["param"] for each in refused] == list(mistakes)


async def test_a_worker_that_is_told_to_stop_hands_its_jobs_over(start_pool: StartPool) -> None:
    """SIGTERM: what can't finish within the drain limit goes on elsewhere, in mid-stream, within a step or two."""
    ask = {"prompt": "hand me over", "max_tokens": 1_000}
    async with start_pool(step_ms=20) as pool, pool.http.stream("POST", "/chat", json=ask) as response:
        stream = events_of(response)
        events = [await anext(stream) for _ in range(10)]
        pool.add_worker(step_ms=1)
        await pool.ready(2)
        pool.workers[0].send_signal(signal.SIGTERM)
        events += [event async for event in stream]

    assert [event["status"] for event in events].count("started") == 2
    assert text_of(events) == answer(Ask(prompt="hand me over", max_tokens=1_000), response.headers["x-job-id"])
