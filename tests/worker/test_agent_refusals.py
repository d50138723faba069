"""What an operator has to mend is said in one line that tells how, with exit code 2; nothing is left running."""

import pytest

from tests.conftest import Broker as Server

from .conftest import Machine, Sites


def _complaint(machine: Machine) -> str:
    (line,) = [line for line in machine.said.splitlines() if line.startswith("mlx-pool worker: ")]
    assert "Traceback" not in machine.said
    return line


async def test_other_weights_under_one_name(site: Sites) -> None:
    """A second worker whose model differs does not join, and the first one goes on."""
    async with site() as here:
        here.start()
        await here.ready()

        other = here.start(engine="--vocabulary 3000")

        assert await other.exit_code() == 2
        assert "other weights" in _complaint(other)
        (await here.story(await here.put())).assert_undisturbed()


async def test_a_wrong_password(site: Sites, own_broker: Server) -> None:
    """It will not become right by waiting."""
    async with site(own_broker.url) as here:
        await here.client.command("CONFIG", "SET", "requirepass", "right")

        machine = here.start("--redis", f"redis://:wrong@127.0.0.1:{own_broker.port}")

        assert await machine.exit_code() == 2
        assert "redis://:PASSWORD@HOST:PORT" in _complaint(machine)
        assert ":wrong@" not in machine.said


async def test_an_engine_that_refuses_its_flags(site: Sites) -> None:
    """The engine's own words reach the operator; it is not started again and again."""
    async with site() as here:
        machine = here.start(engine="--no-such-flag 1")

        assert await machine.exit_code() == 2
        assert "--no-such-flag" in _complaint(machine)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--slots", "0"), "--slots='0'"),
        (("--sltos", "4"), "--sltos: no such option"),
        (("--redis", "not a url"), "is no Redis URL"),
    ],
)
async def test_a_mistake_in_the_command(site: Sites, flags: tuple[str, ...], said: str) -> None:
    """Named with its value and what was expected, before anything starts."""
    async with site() as here:
        machine = here.start(*flags)

        assert await machine.exit_code() == 2
        assert said in machine.said
        assert "Traceback" not in machine.said
