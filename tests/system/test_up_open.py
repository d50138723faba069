"""`mlx-pool up --host`: a pool that other machines may join, if they know its secrets."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .conftest import MARK, Ups

Eventually = Callable[..., Awaitable[None]]


@pytest.mark.long
async def test_the_printed_line_brings_another_machine_into_the_pool(
    up: Ups, eventually: Eventually, tmp_path: Path
) -> None:
    """The line that `up --host` prints is all that the other machine's person has to type."""
    async with up("--host", "0.0.0.0", "--workers", "0") as pool:
        assert await pool.line("another machine joins with")
        _, *words = (await pool.line("  mlx-pool join ")).split()
        words[1] = words[1].replace(words[1].rpartition("@")[2].rpartition(":")[0], "127.0.0.1")

        other = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mlx_pool", *words),
            env=os.environ | {MARK: str(tmp_path)},
        )

        await eventually(lambda: pool.get("/health", **pool.key())[0] == 200, within=20)
        other.terminate()
        assert await other.wait() == 0


@pytest.mark.long
async def test_off_loopback_nobody_gets_in_without_the_key(up: Ups) -> None:
    """The API key is made, kept in a file for its user alone, and asked for; so is the queue's password."""
    async with up("--host", "0.0.0.0") as pool:
        curl = await pool.line("  curl -N ")
        await pool.line("Ctrl-C stops it")
        key_file = pool.data / "secrets" / "api-key"

        assert f'-H "Authorization: Bearer $(cat {key_file})"' in curl
        assert pool.get("/pool")[0] == 401
        assert pool.get("/pool", **pool.key())[0] == 200
        assert pool.mlx_pool("chat", "hello", "--max-tokens", "3").returncode == 0
        for command in (("chat", "hello"), ("bench", "--requests", "1")):
            refused = pool.mlx_pool(*command, "--url", pool.state.http_url)
            assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
            assert "--api-key-file" in refused.stderr
        for secret in (key_file, pool.data / "secrets" / "broker-password", pool.data / "up.json"):
            assert secret.stat().st_mode & 0o777 == 0o600
