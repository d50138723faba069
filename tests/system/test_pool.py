"""The pool as a whole, on real processes with the scripted engine: what no single room can promise."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from shared.job import Ask, seed_of
from worker.engine.scripted.oracle import expected

StartPool = Callable[..., Any]

HOSTILE = "대한민국 만세 👨‍👩‍👧‍👦 é ﷽ 🇰🇷"


def answer(job_id: str, prompt: str, max_tokens: int) -> str:
    """What the scripted engine says under the seed of the job's id."""
    return expected(Ask(prompt=prompt, max_tokens=max_tokens), seed_of(job_id)).text


def text_of_ndjson(body: str) -> str:
    """The text of an NDJSON stream."""
    return "".join(json.loads(line).get("content", "") for line in body.split("\n") if line)


def text_of_sse(body: str) -> str:
    """The text of an SSE stream."""
    data = [line.removeprefix("data: ") for line in body.split("\n") if line.startswith("data: ")]
    return "".join(json.loads(each).get("content", "") for each in data)


async def test_korean_and_emoji_come_through_whole(start_pool: StartPool) -> None:
    """Text of several bytes a character, split between tokens, reaches a client without a replacement character."""
    formats = {"application/x-ndjson": text_of_ndjson, "text/event-stream": text_of_sse, "text/plain": str}
    ask = {"prompt": HOSTILE, "max_tokens": 300}
    async with start_pool(step_ms=1) as pool:
        answers = {name: await pool.http.post("/chat", json=ask, headers={"accept": name}) for name in formats}

    for name, response in answers.items():
        body = response.content.decode("utf-8", errors="strict")
        assert formats[name](body) == answer(response.headers["x-job-id"], HOSTILE, 300), name
        assert "\ufffd" not in body


async def test_two_workers_share_the_work(start_pool: StartPool) -> None:
    """Of forty jobs that come at once each of two workers takes at least thirty percent."""
    async with start_pool(workers=2, step_ms=5) as pool:
        asks = [pool.http.post("/chat", json={"prompt": f"job {n}", "max_tokens": 20}) for n in range(40)]
        answers = await asyncio.gather(*asks)

    workers = Counter(json.loads(each.text.splitlines()[0])["worker"] for each in answers)
    assert len(workers) == 2
    assert min(workers.values()) >= 12


async def test_a_worker_killed_under_many_streams_leaves_every_one_whole(
    start_pool: StartPool, eventually: Any
) -> None:
    """After kill -9 of one of two workers in mid-stream: twelve clients read what they would have read undisturbed."""
    async with start_pool(workers=2, slots=8, step_ms=10) as pool:
        asks = [
            asyncio.create_task(pool.http.post("/chat", json={"prompt": f"story {n}", "max_tokens": 150}))
            for n in range(12)
        ]
        await eventually(lambda: pool.busy(12))
        pool.workers[0].kill()
        answers = await asyncio.gather(*asks)

    attempts = 0
    for n, response in enumerate(answers):
        events = [json.loads(line) for line in response.text.split("\n") if line]
        attempts += sum(event["status"] == "started" for event in events)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["status"] == "done"
        assert text_of_ndjson(response.text) == answer(response.headers["x-job-id"], f"story {n}", 150)
    assert attempts > 12


async def test_engines_short_of_memory_leave_every_stream_whole(start_pool: StartPool) -> None:
    """Jobs are handed back again and again in mid-stream, here or elsewhere; each client sees one text and no error."""
    prompts = [f"story {n} [[full@+{20 + n}]]" for n in range(6)]
    async with start_pool(workers=2, step_ms=2) as pool:
        asks = [pool.http.post("/chat", json={"prompt": prompt, "max_tokens": 100}) for prompt in prompts]
        answers = await asyncio.gather(*asks)

    for prompt, response in zip(prompts, answers, strict=True):
        events = [json.loads(line) for line in response.text.split("\n") if line]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert sum(event["status"] == "started" for event in events) >= 4
        assert (response.status_code, events[-1]["status"]) == (200, "done")
        assert text_of_ndjson(response.text) == answer(response.headers["x-job-id"], prompt, 100)


async def test_a_direct_job_with_a_broken_body_ends_in_an_error_and_harms_nobody(
    start_pool: StartPool, eventually: Any
) -> None:
    """What another service put on the stream by mistake is answered in its log, and the entry is gone."""
    async with start_pool() as pool, pool.client() as redis:
        bodies = ["{", '{"prompt":"x","max_tokens":-1}', '{"prompt":"x","model":"other"}', '{"prompt":""}']
        ids = [(await redis.command("XADD", "pool:{scripted}:jobs:std", "*", "body", body)).decode() for body in bodies]
        fine = await pool.http.post("/chat", json={"prompt": "still here", "max_tokens": 5})

        async def are_gone() -> bool:
            return await redis.command("XLEN", "pool:{scripted}:jobs:std") == 0

        await eventually(are_gone)
        logs = [await redis.command("XRANGE", f"pool:{{scripted}}:log:std-{entry}", "-", "+") for entry in ids]

    codes = [json.loads(rows[-1][1][b"e"])["code"] for rows in logs]
    assert codes == ["invalid_json", "invalid_value", "model_not_found", "invalid_value"]
    assert json.loads(fine.text.splitlines()[-1])["status"] == "done"
