"""The pool with real models: what the scripted engine can't prove."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

StartPool = Callable[..., Any]

ASKS = [
    {"prompt": "a greedy story", "temperature": 0, "repeat_penalty": 1, "max_tokens": 160, "min_tokens": 160},
    {"prompt": "a seeded story", "temperature": 1.2, "seed": 7, "max_tokens": 160, "min_tokens": 160},
    {"prompt": "대한민국", "presence_penalty": 0.5, "seed": 8, "max_tokens": 160, "min_tokens": 160},
    {"prompt": "stop somewhere", "stop": ["zzzz", "qqqq"], "seed": 9, "max_tokens": 160, "min_tokens": 160},
    {"prompt": "digits", "grammar": {"type": "regex", "value": "([0-9]{2} ){200}"}, "seed": 10, "max_tokens": 160},
]


def synthetic(kind: str, folder: Path) -> str:
    """A small model of random weights, in a folder of its own."""
    command = [sys.executable, "-m", "worker.catalog", "synthetic", kind, str(folder / kind)]
    subprocess.run(command, check=True, capture_output=True)
    return str(folder / kind)


def events_of(body: str) -> list[dict[str, Any]]:
    """The events of an NDJSON answer."""
    return [json.loads(line) for line in body.split("\n") if line]


def text_of(body: str) -> str:
    """What a client would have read."""
    return "".join(event.get("content", "") for event in events_of(body) if event["status"] == "token")


@pytest.mark.long
async def test_a_real_models_answers_survive_their_worker_bit_for_bit(
    start_pool: StartPool, tmp_path: Path, eventually: Any
) -> None:
    """Greedy, seeded, with penalties, with stop strings: killed in mid-stream each reads as it does undisturbed."""
    async with start_pool(workers=0) as pool:
        model = synthetic("tiny", tmp_path)
        pool.add_mlx_worker(model)
        await pool.ready(1)
        undisturbed = [(await pool.http.post("/chat", json=ask)).text for ask in ASKS]

        running = [asyncio.create_task(pool.http.post("/chat", json=ask)) for ask in ASKS]
        await eventually(lambda: pool.busy(len(ASKS)))
        pool.add_mlx_worker(model)
        pool.workers[0].kill()
        disturbed = [(await each).text for each in running]

    assert [text_of(each) for each in disturbed] == [text_of(each) for each in undisturbed]
    assert all(sum(event["status"] == "started" for event in events_of(each)) == 2 for each in disturbed)


@pytest.mark.long
async def test_a_mixture_of_experts_in_shards_is_served(start_pool: StartPool, tmp_path: Path) -> None:
    """DeepSeek-MoE, 4-bit, sharded, from a folder: its queue bears the folder's name."""
    async with start_pool(workers=0) as pool:
        pool.add_mlx_worker(synthetic("deepseek-moe", tmp_path))
        await pool.ready(1)

        answer = await pool.http.post("/chat", json={"prompt": "안녕하세요", "max_tokens": 8, "stream": False})

    assert answer.json()["model"] == "deepseek-moe"
    assert answer.json()["usage"]["completion_tokens"] >= 1


@pytest.mark.long
async def test_an_answer_has_the_form_that_was_asked_for(start_pool: StartPool, tmp_path: Path) -> None:
    """Over HTTP, the queue and the pipe; and a schema that can't be held to is a 400 that names the keyword."""
    keywords: dict[str, Any] = {"type": "array", "items": {"enum": ["하나", "둘"]}, "minItems": 2, "maxItems": 3}

    def ask(schema: dict[str, Any]) -> dict[str, Any]:
        form = {"type": "json_schema", "json_schema": {"name": "numbers", "schema": schema, "strict": True}}
        return {"prompt": "x", "stream": False, "response_format": form}

    async with start_pool(workers=0) as pool:
        pool.add_mlx_worker(synthetic("tiny", tmp_path))
        await pool.ready(1)
        answer = await pool.http.post("/chat", json=ask(keywords))
        refused = await pool.http.post("/chat", json=ask(keywords | {"uniqueItems": True}))

    assert set(json.loads(answer.json()["content"])) <= {"하나", "둘"}
    assert answer.json()["reason"] == "stop"
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unsupported"
    assert refused.json()["error"]["param"] == "response_format.json_schema.schema.uniqueItems"
