"""`mlx-pool doctor` as a whole, on a real pool, and on what only looks like one."""

import json
from typing import Any

import redis as sync_redis

from mlx_pool.doctor.command import as_lines
from mlx_pool.doctor.finding import bad, ok, warn
from mlx_pool.terminal import Ink
from tests.pool import StartPool
from tests.ports import FreePort

from .conftest import RunCommand


def test_each_finding_is_a_line_with_what_to_do_below() -> None:
    """And the sum at the end, so that one need not count."""
    findings = [ok("redis", "It answers."), warn("power", "It sleeps.", "Wake it."), bad("keys", "None.", "Make one.")]

    lines = as_lines(findings, Ink(has_colours=False)).splitlines()

    assert lines[0].split(maxsplit=2) == ["ok", "redis", "It answers."]
    assert lines[2].strip() == "→ Wake it."
    assert lines[-1] == "1 bad, 1 to look at, 1 in order"
    assert as_lines(findings[:1], Ink(has_colours=False)).splitlines()[-1] == "all 1 in order"


def test_colours_are_for_terminals() -> None:
    """The level alone bears one; a pipe gets none."""
    assert "\x1b[31mbad " in as_lines([bad("a", "b", "c")], Ink(has_colours=True))
    assert "\x1b" not in as_lines([bad("a", "b", "c")], Ink(has_colours=False))


async def test_a_real_pool_is_examined(start_pool: StartPool, run_command: RunCommand) -> None:
    """Redis, doors, queue, worker and machine: each is looked at, and nothing of a sound pool is bad."""
    async with start_pool(workers=1) as pool:
        ended = await run_command("doctor", "--redis", pool.broker, "--url", pool.url, "--json")

    told = json.loads(ended.out)
    assert ended.code == 0, ended.out
    assert {"redis", "latency", "settings", "gateway", "exposure", "queues", "versions", "machine"} <= {
        finding["about"] for finding in told["findings"]
    }
    assert told["bad"] == 0


async def test_a_redis_that_evicts_fails_the_examination(run_command: RunCommand, own_broker: Any) -> None:
    """A fault is exit code 1, for scripts that watch."""
    client = sync_redis.Redis.from_url(own_broker.url)
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.close()

    ended = await run_command("doctor", "--redis", own_broker.url)

    assert ended.code == 1
    assert "bad   settings" in ended.out
    assert "noeviction" in ended.out


async def test_where_redis_is_away_the_rest_is_still_examined(run_command: RunCommand, free_port: FreePort) -> None:
    """The doctor is asked when something is wrong: it does not stop at the first thing."""
    ended = await run_command("doctor", "--redis", f"redis://127.0.0.1:{free_port()}")

    assert ended.code == 1
    assert ended.out.startswith("bad   redis")
    assert "machine" in ended.out
    assert ended.err == ""


async def test_without_any_pool_the_doctor_says_how_to_start_one(run_command: RunCommand) -> None:
    """On a fresh machine it is no error in the command's use."""
    ended = await run_command("doctor", MLX_POOL_REDIS_URL="")

    assert ended.code == 1
    assert "mlx-pool up" in ended.out
