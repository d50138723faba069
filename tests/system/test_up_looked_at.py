"""The operator's commands beside a pool that `mlx-pool up` runs: they find it by themselves."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from .conftest import RunningUp, Ups

Eventually = Callable[..., Awaitable[None]]


def told(pool: RunningUp, *argv: str) -> Any:
    """What a command tells programs."""
    ended = pool.mlx_pool(*argv, "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.long
async def test_a_sound_pool_is_in_order_and_can_be_looked_into(up: Ups) -> None:
    """Nothing is bad; its load is measured; its jobs have lives; its parts have logs, each in its place."""
    async with up() as pool:
        await pool.line("ready after")

        measured = told(pool, "bench", "--streams", "2", "--requests", "4", "--max-tokens", "4")
        answer = pool.chat(prompt="x", max_tokens=4, id="mine")[1]
        life = told(pool, "job", "mine")
        logged = [json.loads(line) for line in pool.mlx_pool("logs", "--json").stdout.splitlines()]
        found = told(pool, "doctor")

        assert (measured["done"], measured["tokens"]) == (4, 16)
        assert (life["id"], life["state"], life["tokens"]) == (answer["id"], "ended", 4)
        assert {"broker", "gateway", "worker"} <= {line["part"] for line in logged}
        assert [line["event"] for line in logged if line["part"] == "worker" and line.get("job") == answer["id"]] == [
            "job_claimed",
            "job_ended",
        ]
        assert found["bad"] == 0
        pool.interrupt()
        assert await pool.exit_code() == 0


@pytest.mark.long
async def test_an_open_pool_is_not_open_to_strangers(up: Ups) -> None:
    """Off loopback gateway and queue ask for their secrets; that these travel in the clear is worth a look, no more."""
    async with up("--host", "0.0.0.0") as pool:
        await pool.line("ready after")

        findings = told(pool, "doctor")["findings"]

        assert not [finding for finding in findings if finding["level"] == "bad"]
        assert "ok" in {finding["level"] for finding in findings if finding["about"] == "gateway"}
        pool.interrupt()
        assert await pool.exit_code() == 0


@pytest.mark.long
async def test_a_drained_worker_of_up_comes_back_anew(up: Ups, eventually: Eventually) -> None:
    """So a drain is how one restarts a worker in order; `up` is what takes it away for good."""
    async with up() as pool:
        await pool.line("ready after")
        (before,) = pool.get("/pool")[1]["workers"]

        assert told(pool, "drain", before["id"])["workers"] == [before["id"]]

        await eventually(lambda: [each["state"] for each in pool.get("/pool")[1]["workers"]] == ["ready"], within=20)
        (after,) = pool.get("/pool")[1]["workers"]
        assert after["id"] != before["id"]
        pool.interrupt()
        assert await pool.exit_code() == 0
