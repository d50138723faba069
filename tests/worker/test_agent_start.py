"""A worker that is told to stop before it serves anything: it is heard, whatever it waits for."""

import asyncio
import signal

from tests.conftest import Broker as Server
from tests.conftest import Eventually
from worker.agent import Agent
from worker.settings import Settings

from .conftest import Sites


async def test_a_drain_is_heard_while_a_model_is_brought() -> None:
    """A download of gigabytes is not waited for, nor for what would come of it."""
    agent = Agent(Settings(redis="redis://127.0.0.1:1/0", model="no such model"), host="mac", pid=0)
    running = asyncio.create_task(agent.run())
    await asyncio.sleep(0)

    agent.drain()

    async with asyncio.timeout(10):
        await running


async def test_a_drain_is_heard_while_the_limits_are_written(
    site: Sites, own_broker: Server, eventually: Eventually
) -> None:
    """It comes between the last look for one and the first service that could be told: the worker ends all the same."""
    async with site(own_broker.url) as here:
        await here.client.command("CLIENT", "PAUSE", 20_000, "WRITE")
        machine = here.start()

        async def is_writing() -> bool:
            clients: bytes = await here.client.command("CLIENT", "LIST")
            return any(b" name=worker " in line and b" cmd=hsetnx" in line for line in clients.splitlines())

        await eventually(is_writing)
        machine.send(signal.SIGTERM)
        await eventually(lambda: '"draining"' in machine.said)
        await here.client.command("CLIENT", "UNPAUSE")

        assert await machine.exit_code(5) == 0
