"""What the pool's processes say of a job, and what they never say."""

import json
from collections.abc import Callable
from typing import Any

from shared.job import Ask, seed_of
from worker.engine.scripted.oracle import expected

StartPool = Callable[..., Any]
PROMPT, KEY, REQUEST = "canary-in-a-prompt", "canary-as-a-key-0123456789", "req-1.2"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LOUD = {"MLX_POOL_LOG_LEVEL": "debug"}


async def test_no_log_has_a_prompt_an_answer_or_a_key(start_pool: StartPool) -> None:
    """At the most talkative level, of jobs that succeed and jobs that fail: ids, counts and codes only."""
    body = {"prompt": PROMPT, "max_tokens": 60}
    bad = [{"prompt": PROMPT, "max_tokens": PROMPT}, {"prompt": f"{PROMPT} [[garbage@3]]"}, {PROMPT: 1}]
    async with start_pool(key=KEY, env=LOUD, step_ms=1) as pool:
        answer = await pool.http.post("/chat", json=body)
        whole = await pool.http.post("/chat", json=body | {"stream": False})
        for each in bad:
            await pool.http.post("/chat", json=each)
        await pool.http.post("/chat", json=body, headers={"authorization": f"Bearer {KEY}x"})
        await pool.http.get(f"/{PROMPT}")

    logged = pool.logged()
    text = expected(Ask(prompt=PROMPT, max_tokens=60), seed_of(answer.headers["x-job-id"])).text
    assert whole.status_code == 200
    assert answer.headers["x-job-id"] in logged
    assert [secret for secret in (PROMPT, KEY) if secret in logged] == []
    assert [text[at : at + 8] for at in range(len(text) - 8) if text[at : at + 8] in logged] == []


async def test_a_request_is_found_in_all_logs(start_pool: StartPool) -> None:
    """By its id in the gateway's, by its job's in both, by its trace in both; in no more than four lines."""
    headers = {"x-request-id": REQUEST, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    async with start_pool(step_ms=1) as pool:
        answer = await pool.http.post("/chat", json={"prompt": PROMPT, "max_tokens": 9}, headers=headers)

    lines = [json.loads(line) for line in pool.logged().splitlines()]
    of_job = [line for line in lines if line.get("job") == answer.headers["x-job-id"]]
    assert [line["event"] for line in of_job] == ["request_ended", "job_claimed", "job_ended"]
    assert {line["trace"] for line in of_job} == {TRACE}
    assert (of_job[0]["request"], of_job[0]["status"]) == (REQUEST, 200)
