"""`mlx-pool up --tls`: a pool whose queue other machines reach by TLS, and know by its certificate."""

import asyncio
import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .conftest import MARK, Ups

Eventually = Callable[..., Awaitable[None]]
pytestmark = [pytest.mark.usefixtures("tls_server"), pytest.mark.long]


async def test_the_printed_line_joins_and_another_certificate_is_refused(
    up: Ups, eventually: Eventually, tmp_path: Path
) -> None:
    """All that the other machine's person types is the line; nothing is sent to who is not that pool."""
    async with up("--tls", "--host", "0.0.0.0", "--workers", "0") as pool:
        _, _, address, *flags = shlex.split(await pool.line("  mlx-pool join "))
        there = address.replace(address.rpartition("@")[2].rpartition(":")[0], "127.0.0.1")
        wrong = there.replace(there.rpartition("=")[2], "0" * 64)
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mlx_pool", "join", there, *flags),
            env=os.environ | {MARK: str(tmp_path)},
        )

        await eventually(lambda: pool.get("/health", **pool.key())[0] == 200, within=20)
        assert pool.mlx_pool("submit", "hello", "--redis", there).returncode == 0
        for command in (("join", wrong, *flags), ("status", "--redis", wrong)):
            refused = pool.mlx_pool(*command)
            assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
            assert "another certificate" in refused.stderr
        worker.terminate()
        assert await worker.wait() == 0


async def test_after_a_restart_the_pool_is_the_same(up: Ups) -> None:
    """Machines that joined have its address: port, password and certificate are kept."""
    addresses: list[str] = []
    for _ in range(2):
        async with up("--tls") as pool:
            await pool.line("ready after")
            addresses.append(pool.state.redis_url)
            shown = pool.mlx_pool("status", "--url").stdout.strip()
            pool.interrupt()
            assert await pool.exit_code() == 0
        assert shown == addresses[-1].replace("://:", "://default:")

    assert len(set(addresses)) == 1
    assert addresses[0].startswith("rediss://")
