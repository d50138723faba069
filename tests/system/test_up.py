"""`mlx-pool up`, from the first line to the last process."""

import json
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from shared.queue import Queue, Submission

from .conftest import Ups

Eventually = Callable[..., Awaitable[None]]
Left = Callable[[], list[int]]
JOB_ID = "a-job-of-this-test"


def job(*, max_tokens: int) -> Submission:
    """Make a job that a service submits directly."""
    return Submission(JOB_ID, json.dumps({"prompt": "hello", "max_tokens": max_tokens}).encode(), 60_000)


async def has_state(queue: Queue, state: str) -> bool:
    """Tell whether the job is there and in that state."""
    (peek,) = await queue.peek([JOB_ID])
    return peek is not None and peek.state == state


async def test_one_command_brings_a_pool_that_answers_and_leaves_nothing(up: Ups, left: Left) -> None:
    """`mlx-pool up` prints its URL and a line to copy, answers, drains on Ctrl-C, and no process is left."""
    async with up() as pool:
        await pool.line("ready after")
        assert await pool.line(f"  curl -N http://127.0.0.1:{pool.port}/chat ")
        assert f"`MLX_POOL_DATA={pool.data} mlx-pool status` shows it" in await pool.line("Ctrl-C stops it")

        status, answer = pool.chat(prompt="안녕하세요", max_tokens=8, temperature=0)
        pool.process.send_signal(signal.SIGINT)

        assert (status, answer["reason"], answer["usage"]["completion_tokens"]) == (200, "length", 8)
        assert await pool.exit_code() == 0
        assert left() == []


async def test_the_other_commands_find_the_pool_that_runs_here(up: Ups) -> None:
    """Chat, submit, status and limits need no address on the machine where `up` runs."""
    async with up("--slots", "3") as pool:
        await pool.line("ready after")

        chat = pool.mlx_pool("chat", "hello", "--max-tokens", "5")
        submitted = pool.mlx_pool("submit", "hello", "--class", "lo")
        status = pool.mlx_pool("status", "--json")
        limits = pool.mlx_pool("limits", "waiting=7", "--json")

        assert (chat.returncode, chat.stderr) == (0, "")
        assert chat.stdout.strip()
        events = [json.loads(line) for line in submitted.stdout.rstrip().split("\n")]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert (events[0]["status"], events[-1]["status"], submitted.returncode) == ("started", "done", 0)
        assert [worker["slots"] for queue in json.loads(status.stdout)["queues"] for worker in queue["workers"]] == [3]
        assert json.loads(limits.stdout)["waiting"] == 7


async def test_a_worker_that_is_killed_comes_back(up: Ups, eventually: Eventually) -> None:
    """A kill -9 of the worker costs a moment: another one takes its place, and the pool answers."""
    async with up() as pool:
        await pool.line("ready after")
        first = pool.pid_of("worker")

        os.kill(first, signal.SIGKILL)

        assert await pool.line("worker: warning: was killed by signal 9")
        await eventually(lambda: pool.pid_of("worker") not in (0, first))
        status, answer = pool.chat(prompt="hello", max_tokens=4)
        assert (status, answer["reason"]) == (200, "length")


@pytest.mark.long
async def test_a_second_ctrl_c_stops_at_once_and_leaves_nothing(up: Ups, left: Left, eventually: Eventually) -> None:
    """Who presses Ctrl-C twice waits for nobody, whatever runs."""
    async with up(MLX_POOL_ENGINE_ARGS="--step-ms 200") as pool:
        await pool.line("ready after")
        async with pool.queue() as queue:
            await queue.submit([job(max_tokens=1_000)], may_wait=True)
            await eventually(lambda: has_state(queue, "running"))

        pool.process.send_signal(signal.SIGINT)
        await pool.line("stopping: ")
        await eventually(lambda: pool.interrupt() and pool.has_said("stopping at once"))

        assert await pool.exit_code(within_s=5) == 1
        await eventually(lambda: left() == [])


@pytest.mark.long
async def test_a_killed_up_leaves_nothing(up: Ups, left: Left, eventually: Eventually) -> None:
    """A kill -9 of `up` itself is cleaned up after without anybody's help."""
    async with up() as pool:
        await pool.line("ready after")

        pool.process.kill()

        await eventually(lambda: left() == [], within=20)


@pytest.mark.long
async def test_the_next_up_ends_what_a_killed_one_left(up: Ups, eventually: Eventually) -> None:
    """Where the guardian was killed too, the next `up` on the folder ends what it finds, and starts."""
    async with up() as pool:
        await pool.line("ready after")
        old = [running.identity.pid for running in pool.state.running]
        os.kill(pool.process.pid, signal.SIGSTOP)  # it would start a new guardian
        os.kill(pool.pid_of("guardian"), signal.SIGKILL)
        pool.process.kill()
        await pool.process.wait()

        async with up(port=pool.port) as again:
            await again.line("ended what an earlier run left: ")
            await again.line("ready after")

            assert not set(old) & {running.identity.pid for running in again.state.running}


@pytest.mark.long
async def test_jobs_that_waited_run_after_a_restart(up: Ups, eventually: Eventually) -> None:
    """The queue's data outlives `up`: what was accepted before is run by the workers of the next one."""
    async with up() as pool:
        await pool.line("ready after")
        pool.process.send_signal(signal.SIGTERM)
        assert await pool.exit_code() == 0
    async with up("--workers", "0") as pool:
        await pool.line("ready after")
        async with pool.queue() as queue:
            await queue.submit([job(max_tokens=4)], may_wait=True)
        pool.process.send_signal(signal.SIGTERM)
        assert await pool.exit_code() == 0

    async with up() as pool:
        await pool.line("ready after")

        async with pool.queue() as queue:
            await eventually(lambda: has_state(queue, "ended"))
