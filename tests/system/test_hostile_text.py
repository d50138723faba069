"""A model that says all that breaks readers of streams, through a pool of real processes."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.connection import Broker
from shared.event import Token, decode_event
from shared.queue import Queue
from tests.heard import STREAMS
from tests.pool import MODEL
from tests.readers import READERS, cut_into

StartPool = Callable[..., Any]
LONG = 1_000
HOSTILE = "--words hostile"
EVENT_SOURCE = Path(__file__).with_name("event_source.js")
NODE = shutil.which("node")


async def read(http: httpx.AsyncClient, path: str) -> tuple[str, list[bytes]]:
    """A stream's job, and its bytes as they came."""
    size = "max_output_tokens" if path == "/v1/responses" else "max_tokens"
    body = {**STREAMS[path].ask, "model": MODEL, size: LONG, "stream": True}
    async with http.stream("POST", path, json=body, headers={"accept": "text/event-stream"}) as answer:
        return answer.headers["x-job-id"], [piece async for piece in answer.aiter_raw()]


async def logged(broker: Broker, job_id: str) -> str:
    """The text in a job's log."""
    events = [decode_event(entry.data) for entry in await Queue(broker, MODEL).read_log(job_id, count=2 * LONG)]
    return "".join(event.content for event in events if isinstance(event, Token))


async def test_every_reader_hears_what_the_model_said(start_pool: StartPool) -> None:
    """On every API, however the network cuts the stream: each event alike, and together the text in the log."""
    async with start_pool(step_ms=0, engine_args=HOSTILE) as pool, pool.client() as broker:
        for path, stream in STREAMS.items():
            job_id, pieces = await read(pool.http, path)
            said = await logged(broker, job_id)
            assert {"\r", "\n", "\u2028", "\x85", "\0", "\ufeff", "\x1b", "\u200d"} <= set(said)

            for data in (pieces, cut_into(pieces, 1)):
                events = {name: reader(data) for name, reader in READERS.items()}
                assert [name for name in events if events[name] != events["the standard"]] == []
                assert stream.heard(events["openai"]).content == said


async def test_whole_answers_are_the_same_text(start_pool: StartPool) -> None:
    """One object, NDJSON and bare text have their own ways to be broken."""
    body = {**STREAMS["/chat"].ask, "max_tokens": LONG}
    async with start_pool(step_ms=0, engine_args=HOSTILE) as pool, pool.client() as broker:
        whole = await pool.http.post("/chat", json=body | {"stream": False})
        lines = await pool.http.post("/chat", json=body)
        bare = await pool.http.post("/chat", json=body, headers={"accept": "text/plain"})

        said = [await logged(broker, answer.headers["x-job-id"]) for answer in (whole, lines, bare)]
        events = [json.loads(line) for line in lines.text.splitlines()]
        streamed = "".join(event.get("content", "") for event in events)
        assert [whole.json()["content"], streamed, bare.content.decode()] == said


def has_event_source() -> bool:
    """Whether there is a Node that has the class of browsers."""
    asked = [NODE or "node", "--experimental-eventsource", "-e", "new EventSource"]
    return bool(NODE) and b"EventSource" in subprocess.run(asked, capture_output=True, check=False).stderr


def followed_by_a_page(url: str) -> Sequence[str]:
    """What an `EventSource` is told, as the texts of its events."""
    command = [NODE or "node", "--experimental-eventsource", "--no-warnings", str(EVENT_SOURCE), url]
    return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


@pytest.mark.skipif(NODE is None, reason="there is no Node here")
async def test_a_pages_own_reader_hears_what_the_model_said(start_pool: StartPool) -> None:
    """`EventSource`, as browsers have it, needs nothing but a job's URL."""
    if not has_event_source():
        pytest.skip("this Node has no EventSource")
    async with start_pool(step_ms=0, engine_args=HOSTILE) as pool, pool.client() as broker:
        job_id, _ = await read(pool.http, "/chat")

        told = followed_by_a_page(f"{pool.url}/chat/{job_id}")

        texts = [json.loads(data).get("content", "") for data in told]
        assert "".join(texts) == await logged(broker, job_id)
