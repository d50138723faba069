"""Models that are loaded when somebody asks for them, through the gateway."""

import json
from collections.abc import Callable
from typing import Any

StartPool = Callable[..., Any]


async def test_a_model_is_loaded_for_whoever_names_it(start_pool: StartPool, eventually: Any) -> None:
    """Listed before it is loaded, and answered like any other; then the other one, for which there was no room."""
    async with start_pool(workers=0) as pool:
        pool.add_worker_of("here=0.4", "there=0.4", room_gb=0.6)

        async def are_listed() -> bool:
            listed = (await pool.http.get("/v1/models")).json()["data"]
            return {model["id"] for model in listed} == {"here", "there"}

        await eventually(are_listed)
        asks = [{"prompt": "hello", "max_tokens": 5, "model": model} for model in ("here", "there", "here")]
        answers = [await pool.http.post("/chat", json=ask) for ask in asks]
        workers = (await pool.http.get("/pool")).json()["workers"]

    for answer in answers:
        assert json.loads(answer.text.splitlines()[-1])["status"] == "done"
    assert {worker["model"]: worker["unloads"] for worker in workers} == {"here": 1, "there": 1}
