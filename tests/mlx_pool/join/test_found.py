"""Joining without an address: a pool that was found on the network, and its password."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.join.address import check_address
from mlx_pool.join.found import address_of, pool_address
from mlx_pool.lan import bonjour
from mlx_pool.lan.announcement import announce
from mlx_pool.lan.found import Found

from .conftest import PASSWORD

RunCommand = Callable[..., Awaitable[Any]]


def test_a_found_pool_and_a_password_make_an_address() -> None:
    """Whatever stands in the password, and of whatever kind the address is."""
    url = address_of(Found(name="a", host="fd00::7", port=6379), "p@ss/word#?")

    check_address(url)
    assert url == "redis://:p%40ss%2Fword%23%3F@[fd00::7]:6379/0"


def test_an_address_that_is_known_is_taken() -> None:
    """Nobody looks around then; nor where looking is switched off."""
    said: list[str] = []

    assert pool_address(None, {"MLX_POOL_REDIS_URL": "redis://mac-1"}, said.append) == "redis://mac-1"
    with pytest.raises(Unusable, match="Which pool"):
        pool_address(None, {"MLX_POOL_LAN": "off"}, said.append)
    assert said == []


@pytest.mark.skipif(bonjour.is_installed(), reason="the extra `lan` is installed")
def test_what_is_missing_for_it_is_said() -> None:
    """With the line that installs it."""
    said: list[str] = []

    with pytest.raises(Unusable, match="Which pool"):
        pool_address(None, {}, said.append)
    with pytest.raises(Unusable, match=r"mlx-pool\[lan\]"):
        pool_address("mac-1", {}, said.append)
    assert said == ["pools on this network could be found with: pip install 'mlx-pool[lan]'"]


async def test_an_address_without_its_password_is_completed(guarded: str, run_command: RunCommand) -> None:
    """From the environment; one that has its password stays as it is, and Redis says so where one is missing."""
    bare = guarded.replace(f":{PASSWORD}@", "")
    flags = ("--model", "tiny", "--engine", "scripted", "--dry-run")

    given = await run_command("join", bare, *flags, MLX_POOL_REDIS_PASSWORD=PASSWORD)
    own = await run_command("join", guarded, *flags, MLX_POOL_REDIS_PASSWORD="guess")
    none = await run_command("join", bare, *flags)

    assert (given.code, own.code, none.code) == (0, 0, 2), given.err
    assert "refuses the password" in none.err


def test_who_is_at_a_terminal_is_asked_for_the_password(guarded: str, tmp_path: Path) -> None:
    """Without an echo, and only where Redis wants one."""
    bare = guarded.replace(f":{PASSWORD}@", "")
    command = [sys.executable, "-P", "-m", "mlx_pool", "join", bare, "--model", "tiny", "--engine", "scripted"]
    ours, theirs = pty.openpty()
    env = os.environ | {"MLX_POOL_DATA": str(tmp_path), "NO_COLOR": "1"}
    joining = subprocess.Popen([*command, "--dry-run"], stdin=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)

    shown = heard(ours, "(it is not shown): ")
    os.write(ours, f"{PASSWORD}\n".encode())
    shown += heard(ours, "engine scripted")

    assert joining.wait(20) == 0
    assert PASSWORD not in shown
    os.close(ours)


def heard(terminal: int, words: str) -> str:
    """Read what is shown, up to these words."""
    shown = ""
    while words not in shown:
        shown += os.read(terminal, 4_096).decode(errors="replace")
    return shown


@pytest.mark.skipif(not bonjour.is_installed(), reason="the extra `lan` is not installed")
async def test_a_machine_joins_by_a_name(guarded: str, run_command: RunCommand) -> None:
    """The password comes by the environment, or is asked for; who gives no name is told what was found."""
    port = int(guarded.rpartition(":")[2].partition("/")[0])
    env = {"MLX_POOL_LAN": "127.0.0.1"}
    flags = ("--model", "tiny", "--engine", "scripted", "--dry-run")
    telling = asyncio.create_task(announce("test-join", "127.0.0.1", port, models="", say=lambda _: None, env=env))

    joined = await run_command("join", "--found", "test-join", *flags, MLX_POOL_REDIS_PASSWORD=PASSWORD, **env)
    wordless = await run_command("join", "--found", "test-join", *flags, **env)
    listed = await run_command("join", *flags, **env)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)

    assert (joined.code, wordless.code, listed.code) == (0, 2, 2), joined.err
    assert "tiny is new to it" in joined.err
    assert "The pool's password is needed: in MLX_POOL_REDIS_PASSWORD" in wordless.err
    assert f"Which pool? `mlx-pool join --found NAME`; found: test-join  127.0.0.1:{port}" in listed.err
    assert PASSWORD not in joined.err + wordless.err + listed.err
