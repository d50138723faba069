"""Pools that find each other by Bonjour, on this machine's loopback."""

import asyncio

import pytest

from mlx_pool.lan import bonjour
from mlx_pool.lan.announcement import announce

LOOPBACK = ["127.0.0.1"]

needs_zeroconf = pytest.mark.skipif(not bonjour.is_installed(), reason="the extra `lan` is not installed")


@needs_zeroconf
def test_a_pool_that_tells_of_itself_is_found() -> None:
    """By its name, with its port and version; one of the same name gets another."""
    with (
        bonjour.telling("test-mac", 7001, "tiny", LOOPBACK, []) as first,
        bonjour.telling("test-mac", 7004, "tiny", LOOPBACK, []) as second,
    ):
        found = bonjour.look_around(LOOPBACK, 10, until=second)

    told = {pool.name: (pool.host, pool.port, pool.models) for pool in found}
    assert first == "test-mac" != second
    assert told[second] == ("127.0.0.1", 7004, "tiny")


@needs_zeroconf
async def test_up_tells_until_it_ends() -> None:
    """And says so, and that the password is not told."""
    said: list[str] = []
    env = {"MLX_POOL_LAN": "127.0.0.1"}
    telling = asyncio.create_task(announce("test-up", "127.0.0.1", 7002, models="", say=said.append, env=env))
    seen = await asyncio.to_thread(bonjour.look_around, LOOPBACK, 10, until="test-up")

    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)

    assert "test-up" in {pool.name for pool in seen}
    assert said == ["this network is told where it is, as test-up; not its password"]
    assert "test-up" not in {pool.name for pool in await asyncio.to_thread(bonjour.look_around, LOOPBACK, 0.5)}


@pytest.mark.parametrize("env", [{}, {"MLX_POOL_LAN": "off"}])
async def test_a_pool_on_loopback_tells_nobody(env: dict[str, str]) -> None:
    """Nor one whose owner does not want it."""
    said: list[str] = []

    await announce("test-quiet", "127.0.0.1", 7003, models="", say=said.append, env=env)

    assert said == []


def test_where_to_look_can_be_said() -> None:
    """All of this machine's networks, some of them, or none."""
    assert bonjour.interfaces({}) == []
    assert bonjour.interfaces({"MLX_POOL_LAN": "192.0.2.7, 127.0.0.1"}) == ["192.0.2.7", "127.0.0.1"]
    assert bonjour.interfaces({"MLX_POOL_LAN": "off"}) is None
