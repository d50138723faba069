"""`mlx-pool chat`, as somebody at a terminal has it."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import pytest

from .conftest import Ups

Eventually = Callable[..., Awaitable[None]]


@pytest.mark.long
async def test_ctrl_c_stops_the_answer_and_not_the_conversation(up: Ups, eventually: Eventually) -> None:
    """A stopped answer frees its slot, and the next question is answered as if nothing had happened."""
    async with up(MLX_POOL_ENGINE_ARGS="--step-ms 50") as pool:
        await pool.line("ready after")
        chat = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mlx_pool", "chat", "--max-tokens", "400"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"MLX_POOL_DATA": str(pool.data)},
        )
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("안녕하세요\n".encode())
        await chat.stdout.read(1)

        chat.send_signal(signal.SIGINT)

        await eventually(lambda: [worker["busy"] for worker in pool.get("/pool")[1]["workers"]] == [0])
        rest, _ = await chat.communicate(b"and now?\n")
        assert b"[stopped]\n" in rest
        assert rest.partition(b"[stopped]\n")[2].strip()
        assert chat.returncode == 0
