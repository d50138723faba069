"""`mlx-pool trace` on a real pool: jobs that move, wait, are over, or are nobody's."""

import asyncio
import json
import os
import signal
from contextlib import aclosing

import pytest

from shared.connection import Broker, connect
from shared.pool import Pool
from shared.queue import Submission
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.mlx_pool.conftest import RunCommand
from tests.pool import StartPool


async def test_a_job_is_followed_from_worker_to_worker(
    start_pool: StartPool, run_command: RunCommand, eventually: Eventually
) -> None:
    """Its worker is killed meanwhile: the lines tell of both, of the silence between them, and of the end."""
    async with start_pool(workers=2, slots=1, step_ms=10) as pool, pool.client() as redis:
        ask = {"prompt": "x", "max_tokens": 200, "min_tokens": 200, "id": "mine"}
        asked = asyncio.create_task(pool.http.post("/chat", json=ask))
        await eventually(lambda: pool.busy(1))
        traced = asyncio.ensure_future(run_command("trace", "mine", "--redis", pool.broker, "--json"))
        (view,) = [each for each in (await pool.http.get("/pool")).json()["workers"] if each["busy"]]
        await eventually(lambda: _is_followed(redis))
        pool.workers[int(view["id"].split(".")[0][-1]) - 1].kill()
        await asked
        ended = await traced

    told = [json.loads(line) for line in ended.out.splitlines()]
    borders = [each["what"] for each in told if each["what"] not in {"tokens", "silence", "waiting"}]
    attempt = ["claimed", "started", "first_token"]
    assert borders == ["queued", *attempt, "given_back", *attempt, "done", "over"]
    assert [each["worker"] == view["id"] for each in told if each["what"] == "claimed"] == [True, False]
    assert (ended.code, told[-1]["tokens"], told[-1]["attempts"]) == (0, 200, 2)


async def test_a_job_that_is_over_is_told_whole(start_pool: StartPool, run_command: RunCommand) -> None:
    """From its record and its log: who had it, and how long it took."""
    async with start_pool() as pool:
        await pool.http.post("/chat", json={"prompt": "x", "max_tokens": 40, "min_tokens": 40, "id": "mine"})

        ended = await run_command("trace", "mine", "--redis", pool.broker)

    lines, words = ended.out.splitlines(), ["queued", "claimed", "prefill:", "first", "done:"]
    assert lines[0].endswith(": scripted, class std")
    assert [word for line in lines[1:-1] for word in line.split() if word in words] == words
    assert ", 1 attempt(s), 40 tokens: waited " in lines[-1]
    assert (ended.code, ended.err) == (0, "")


async def test_following_a_job_that_waits_does_not_make_one_its_reader(
    start_pool: StartPool, run_command: RunCommand, eventually: Eventually
) -> None:
    """A job whose client has left must end as it would unseen; one that is cancelled is not done: exit code 1."""
    async with start_pool(slots=1, step_ms=20) as pool, pool.client() as redis:
        long = {"prompt": "x", "max_tokens": 4_000, "min_tokens": 4_000}
        asks = [asyncio.create_task(pool.http.post("/chat", json=long | {"id": name})) for name in ("runs", "waits")]
        await eventually(lambda: pool.busy(1))
        traced = asyncio.ensure_future(run_command("trace", "waits", "--redis", pool.broker))
        await eventually(lambda: _is_followed(redis))
        channels = await redis.command("PUBSUB CHANNELS", "pool:{scripted}:chan:*")
        heard = await redis.command("PUBSUB NUMSUB", *channels)
        for name in ("waits", "runs"):
            await pool.http.delete(f"/chat/{name}")
        await asyncio.gather(*asks)
        ended = await traced

    assert [count for _, count in heard] == [1, 1]
    assert [" cancelled: " in line for line in ended.out.splitlines()].count(True) == 1
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.long
async def test_a_redis_that_falls_silent_ends_the_following(
    own_broker: Server, run_command: RunCommand, eventually: Eventually
) -> None:
    """Within seconds, in one line: nobody looks at a picture that stands still."""
    async with aclosing(connect(own_broker.url, name="test")) as redis:
        await redis.command("SADD", "pool:models", "m")
        await Pool(redis).queue("m").submit([Submission("mine", b'{"prompt":"x"}', 60_000)])
        traced = asyncio.ensure_future(run_command("trace", "mine", "--redis", own_broker.url))
        await eventually(lambda: _is_followed(redis))
        assert own_broker.process
        os.kill(own_broker.process.pid, signal.SIGSTOP)

        async with asyncio.timeout(10):
            ended = await traced

    assert (ended.code, ended.err) == (1, "mlx-pool: Redis does not answer: TimeoutError.\n")


async def _is_followed(redis: Broker) -> bool:
    return any(client["name"] == "trace-log" for client in await redis.command("CLIENT LIST"))


async def test_a_job_that_nobody_knows_is_one_line_and_exit_code_2(broker: str, run_command: RunCommand) -> None:
    """With the id that was asked for."""
    ended = await run_command("trace", "nobodys", "--redis", broker)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "nobodys" in ended.err
