"""What can't work is told in one line that says what to do, with exit code 2, and starts nothing."""

import socket
from collections.abc import Callable
from typing import Protocol

import pytest

from .conftest import RunningUp, Ups

Left = Callable[[], list[int]]


class Server(Protocol):
    """A broker of the test's own."""

    port: int


async def refusal(pool: RunningUp) -> str:
    """Wait for the end of an `up` that can't work, and give its one complaint."""
    assert await pool.exit_code() == 2
    (complaint,) = [line for line in pool.lines if line.startswith("mlx-pool: ")]
    return complaint


async def test_a_port_in_use(up: Ups, left: Left) -> None:
    """The line names the port and the flag that gives another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async with up(port=port) as pool:
            assert f"Port {port} on 127.0.0.1 is in use" in await refusal(pool)
            assert left() == []


async def test_a_second_up_on_the_same_folder(up: Ups) -> None:
    """Two pools never write to one queue's files; the line says where the first one is."""
    async with up("--workers", "0") as first:
        await first.line("ready after")

        async with up() as second:
            complaint = await refusal(second)

        assert f"already runs on {first.data} at http://127.0.0.1:{first.port}" in complaint
        assert first.get("/health/live")[0] == 200


async def test_a_wrong_redis_password(up: Ups, own_broker: Server, left: Left) -> None:
    """A password that Redis refuses ends `up` before anything runs on it."""
    async with up("--redis", f"redis://:wrong@127.0.0.1:{own_broker.port}") as pool:
        assert "refuses the password" in await refusal(pool)
        assert left() == []


async def test_an_address_that_is_none(up: Ups, left: Left) -> None:
    """What can't be meant is said before anything runs on it."""
    async with up("--redis", "redis://127.0.0.1:6379/0?tiemout=1") as pool:
        assert "tiemout is no option of it" in await refusal(pool)
        assert left() == []


async def test_a_model_that_does_not_exist(up: Ups, left: Left) -> None:
    """The worker's own words about the model end `up`, not a worker that is started again and again."""
    async with up("--model", "no-such-model", engine="mlx") as pool:
        assert "There is no model named no-such-model" in await refusal(pool)
        assert left() == []


@pytest.mark.parametrize("flag", ["--workers", "--port", "--slots"])
async def test_a_number_out_of_range(up: Ups, flag: str) -> None:
    """The line names the flag and what it takes."""
    async with up(flag, "-1") as pool:
        assert flag in await refusal(pool)
