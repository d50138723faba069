"""What the doctor says of doors, by facts that were made up, and by knocking at real ones."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mlx_pool.data_folder import DataFolder
from mlx_pool.doctor.ask_doors import ask_doors
from mlx_pool.doctor.exposure import Door, Exposure, is_readable_by_others, judge_exposure
from mlx_pool.where import Gateway
from tests.pool import StartPool
from tests.ports import FreePort

GATEWAY = Door(url="http://127.0.0.1:8081", here="open", outside="closed", outside_address="http://10.0.0.5:8081")
REDIS = Door(url="127.0.0.1:6379", outside="closed", outside_address="10.0.0.5:6379")


def levels(**facts: Any) -> list[str]:
    """The levels of all that is found."""
    return [finding.level for finding in judge_exposure(Exposure(**facts))]


def test_a_pool_on_loopback_is_in_order() -> None:
    """It needs no key and no password: only this machine's people reach it."""
    assert levels(gateway=GATEWAY, is_ready=True, redis=REDIS) == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("outside", "is_tls", "level"), [("open", False, "bad"), ("asks", False, "warn"), ("asks", True, "ok")]
)
def test_a_gateway_that_others_reach_asks_for_keys_by_tls(outside: Any, is_tls: bool, level: str) -> None:
    """Without a key it is everybody's; without TLS the key is everybody's who listens."""
    door = Door(url=GATEWAY.url, here="asks", outside=outside, is_tls=is_tls, outside_address="x")

    assert levels(gateway=door, is_ready=True)[1] == level


def test_no_gateway_or_one_without_workers_is_told() -> None:
    """Each with the command that helps."""
    assert levels(gateway=Door(url="http://127.0.0.1:1", here="closed")) == ["warn"]
    assert levels(gateway=GATEWAY, is_ready=False)[0] == "warn"


def test_a_redis_that_others_reach_has_a_password_and_tls() -> None:
    """It holds every prompt, and who can write to it is trusted like a worker."""
    far = Door(url="10.0.0.9:6379", outside="asks", outside_address="10.0.0.9:6379")
    far_tls = Door(url="10.0.0.9:6379", is_tls=True, outside_address="10.0.0.9:6379")

    assert levels(redis=Door(url=REDIS.url, outside="open")) == ["bad"]
    assert levels(redis=far, redis_is_here=False, has_password=False) == ["bad"]
    assert levels(redis=far, redis_is_here=False, has_password=True) == ["warn"]
    assert levels(redis=far_tls, redis_is_here=False, has_password=True) == ["ok"]


def test_a_secret_that_others_may_read_is_bad() -> None:
    """A key is its reader's."""
    assert levels(readable=(Path("/secrets/api-key"),)) == ["bad"]
    assert [is_readable_by_others(mode) for mode in (0o600, 0o640, 0o604)] == [False, True, True]


async def test_real_doors_are_knocked_at(start_pool: StartPool, tmp_path: Path) -> None:
    """Whether a key is asked for is found out as a stranger would; whether a job would run, with the key."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "api-key").touch(mode=0o644)
    async with start_pool(workers=1, key="a-key-of-this-test") as pool:
        place = Gateway(pool.url, "a-key-of-this-test")

        found = await asyncio.to_thread(ask_doors, place, pool.broker, DataFolder(tmp_path), {})

    assert found.gateway is not None
    assert (found.gateway.here, found.is_ready) == ("asks", True)
    assert found.redis is not None
    assert found.redis.outside in {None, "closed"}  # it listens on loopback alone
    assert (found.redis_is_here, found.has_password) == (True, False)
    assert [path.name for path in found.readable] == ["api-key"]


def test_a_door_that_nobody_opens_is_closed(tmp_path: Path, free_port: FreePort) -> None:
    """Nothing waits longer than a moment for it."""
    found = ask_doors(Gateway(f"http://127.0.0.1:{free_port()}", None), None, DataFolder(tmp_path), {})

    assert found.gateway is not None
    assert (found.gateway.here, found.is_ready, found.redis) == ("closed", False, None)
