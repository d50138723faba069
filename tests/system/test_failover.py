"""A whole pool on a Redis with two replicas and three Sentinels, whose primary is killed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import Eventually
from tests.pool import Pool
from tests.ports import FreePort
from tests.watched import Watched

from .test_pool import answer, text_of_ndjson

# What a stream may say when the new primary has not heard all that the old one had acknowledged.
_LOST = {"stream_lost", "stream_diverged"}


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_pool_goes_on_behind_a_new_primary(
    watched: Callable[[int], Watched], free_port: FreePort, tmp_path: Path, eventually: Eventually
) -> None:
    """Nothing is restarted: streams end whole or say that they were lost, and new ones are served within seconds."""
    redis = watched(3)
    pool = Pool(redis.url, free_port(), tmp_path, {})
    try:
        for _ in range(2):
            pool.add_worker(slots=8, step_ms=20)
        await pool.ready(2)
        asks = [
            asyncio.create_task(pool.http.post("/chat", json={"prompt": f"story {n}", "max_tokens": 200}))
            for n in range(12)
        ]
        await eventually(lambda: pool.busy(12))
        redis.kill(redis.primary())

        await eventually(lambda: _is_served(pool), within=20)
        answers = await asyncio.gather(*asks)
    finally:
        await pool.close()

    assert sum(_is_whole(each, f"story {n}") for n, each in enumerate(answers)) >= 9


async def _is_served(pool: Pool) -> bool:
    answer = await pool.http.post("/chat", json={"prompt": "new", "max_tokens": 3})
    return answer.status_code == 200 and '"done"' in answer.text


def _is_whole(response: httpx.Response, prompt: str) -> bool:
    """Whether a stream is whole, to the last byte; else it must say so."""
    events = [json.loads(line) for line in response.text.split("\n") if line]
    assert [event["seq"] for event in events if "seq" in event] == list(range(1, len(events) + 1))
    if events[-1]["status"] == "error":
        assert events[-1]["code"] in _LOST, events[-1]
        return False
    return text_of_ndjson(response.text) == answer(response.headers["x-job-id"], prompt, 200)
