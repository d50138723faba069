"""A model that comes from the pool itself: two machines, the real engine, and nothing but loopback."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.connection import connect
from shared.peers import Peers

Eventually = Callable[..., Awaitable[None]]
RunCommand = Callable[..., Awaitable[Any]]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The models of the machine that serves: one, which no list of models knows."""
    command = [sys.executable, "-m", "worker.catalog", "synthetic", "tiny", str(tmp_path / "there" / "mine")]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "there"


@asynccontextmanager
async def process(*argv: str, **env: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a part; leaving ends it."""
    part = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", *argv),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"NO_COLOR": "1"} | env,
    )
    try:
        yield part
    finally:
        if part.returncode is None:
            part.terminate()
        await part.communicate()


async def said(part: asyncio.subprocess.Process, word: str) -> str:
    """Read what it says, up to a line with this word."""
    assert part.stderr
    lines: list[str] = []
    async with asyncio.timeout(90):
        while line := (await part.stderr.readline()).decode():
            lines.append(line)
            if word in line:
                return "".join(lines)
    raise AssertionError(lines)


@pytest.mark.long
async def test_a_machine_that_joins_takes_the_model_from_one_that_serves(
    broker: str, models: Path, tmp_path: Path, eventually: Eventually, run_command: RunCommand
) -> None:
    """Also one that no list of models knows: weights, tokenizer and all; and both serve one queue then."""
    client = connect(broker, name="test")
    flags = ("--redis", broker, "--model", "mine", "--share-models", "127.0.0.1", "--name", "mac-1", "--slots", "2")
    async with process("worker", *flags, MLX_POOL_MODELS=str(models)) as first:
        await said(first, "model_shared")
        await eventually(lambda: Peers(client).supply("mine"), within=30)
        here = {"MLX_POOL_MODELS": str(tmp_path / "here")}

        without = await run_command("join", broker, "--model", "mine", "--no-peers", "--dry-run", **here)
        async with process("mlx_pool", "join", broker, "--slots", "2", "--name", "mac-2", **here) as second:
            told = await said(second, "ready after")

    assert without.code == 2
    assert "which has no name on this machine" in without.err
    assert "mine will be fetched from mac-1" in told
    assert "Fetching mine from mac-1" in told
    assert (tmp_path / "here" / "mine" / "config.json").is_file()
    await client.aclose()


@pytest.mark.long
async def test_a_worker_that_is_started_alone_takes_it_there_as_well(
    broker: str, models: Path, tmp_path: Path, eventually: Eventually
) -> None:
    """Who starts workers by other means than `join` needs no copy of the model on each machine either."""
    client = connect(broker, name="test")
    flags = ("--redis", broker, "--model", "mine", "--slots", "2")
    here = tmp_path / "here"
    async with process("worker", *flags, "--share-models", "127.0.0.1", MLX_POOL_MODELS=str(models)) as first:
        await said(first, "model_shared")
        await eventually(lambda: Peers(client).supply("mine"), within=30)

        async with process("worker", *flags, "--name", "mac-2", MLX_POOL_MODELS=str(here)) as second:
            await said(second, "engine_ready")

    assert (here / "mine" / "config.json").is_file()
    await client.aclose()
