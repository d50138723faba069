"""A gateway of one version before workers of the other, and two gateways of two versions."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Eventually
from tests.pool import MODEL
from tests.system.test_bulk import answers, bulk, completed, requests

from .conftest import StartMixed, Trees, Version
from .stream import check_whole, events_of

pytestmark = pytest.mark.long
both_ways = pytest.mark.parametrize(("first", "second"), [("earlier", "this"), ("this", "earlier")])
_SSE = {"accept": "text/event-stream"}


@both_ways
async def test_a_gateway_is_served_by_a_worker_of_the_other_version(
    start_mixed: StartMixed, first: Version, second: Version
) -> None:
    """Over its own API and OpenAI's alike, and what another service put on the queue itself is served as well."""
    async with start_mixed(gateway=first, workers=[second], step_ms=2) as pool, pool.client() as redis:
        own = await pool.http.post("/chat", json={"prompt": "hello", "max_tokens": 60})
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}
        theirs = (await pool.http.post("/v1/chat/completions", json=body)).json()
        words = ("body", '{"prompt":"hello","max_tokens":5}')
        entry = (await redis.command("XADD", f"pool:{{{MODEL}}}:jobs:std", "*", *words)).decode()
        direct = await pool.http.get(f"/pool/jobs/std-{entry}")

    check_whole(events_of(own.text), own.headers["x-job-id"], "hello", 60)
    assert (theirs["choices"][0]["finish_reason"], theirs["usage"]["completion_tokens"]) == ("length", 9)
    assert direct.json()["steps"][0]["what"] == "queued"


@both_ways
async def test_a_cancel_reaches_a_worker_of_the_other_version(
    start_mixed: StartMixed, eventually: Eventually, first: Version, second: Version
) -> None:
    """Its stream ends so, and its seat is free."""
    async with start_mixed(gateway=first, workers=[second]) as pool:
        ask = {"prompt": "x", "max_tokens": 4_000, "min_tokens": 4_000, "id": "mine"}
        asked = asyncio.create_task(pool.http.post("/chat", json=ask))
        await eventually(lambda: pool.busy(1))
        await pool.http.delete("/chat/mine")
        events = events_of((await asked).text)
        await eventually(lambda: pool.busy(0))

    assert events[-1]["status"] == "cancelled"


@both_ways
async def test_a_stream_is_resumed_at_a_gateway_of_the_other_version(
    start_mixed: StartMixed, first: Version, second: Version
) -> None:
    """An event's id, which a client gives back, means the same to both: nothing is missing, nothing told twice."""
    ask = {"prompt": "s", "max_tokens": 200, "linger_ms": 20_000}
    async with (
        start_mixed(gateway=first, workers=["this"]) as pool,
        start_mixed(gateway=second) as other,
    ):
        async with pool.http.stream("POST", "/chat", json=ask, headers=_SSE) as began:
            job_id = began.headers["x-job-id"]
            events, place = await _read(began, 20)
        async with other.http.stream("GET", f"/chat/{job_id}", headers=_SSE | {"last-event-id": place}) as resumed:
            more, _ = await _read(resumed, 10_000)

    check_whole(events + more, job_id, "s", 200)


@both_ways
async def test_a_batch_outlives_the_upgrade_of_its_gateway(
    start_mixed: StartMixed, trees: Trees, tmp_path: Path, eventually: Eventually, *, first: Version, second: Version
) -> None:
    """What one version has begun the other one ends: every line has its answer, and none has two."""
    file = requests(tmp_path / "asks.jsonl", 80, max_tokens=20, seed=7)
    async with start_mixed(gateway=first, workers=["this"]) as pool:
        command = bulk(pool.url, file)
        await eventually(lambda: completed(pool, 10), within=30)
        pool.restart_gateway(signal.SIGTERM, tree=trees[second])
        _, error = await asyncio.to_thread(command.communicate, timeout=60)

    assert command.returncode == 0, error
    assert len(answers(tmp_path / "asks.out.jsonl")) == 80


async def _read(stream: httpx.Response, most: int) -> tuple[list[dict[str, Any]], str]:
    """Read so many events, or to the end; and the last one's id."""
    events: list[dict[str, Any]] = []
    place = ""
    async for line in stream.aiter_lines():
        if line.startswith("id: "):
            place = line.removeprefix("id: ")
        elif line.startswith("data: "):
            events.append(json.loads(line.removeprefix("data: ")))
            if len(events) == most:
                break
    return events, place
