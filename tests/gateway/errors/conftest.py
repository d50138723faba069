"""API keys with limits, and a gateway whose door is closed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest

from gateway.__main__ import open_socket
from gateway.drain import Drain
from gateway.places import Places
from gateway.server import Server
from gateway.service import Parts
from gateway.settings import Settings
from shared.connection import connect
from tests.gateway.access.conftest import GivenKeys

Draining = Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def keys(tmp_path: Path) -> GivenKeys:
    """A file of keys, to which the test gives."""
    return GivenKeys(tmp_path / "keys.json")


@pytest.fixture
def draining(broker: str) -> Draining:
    """Serve for the length of a block what only ever drains: a real one is gone as soon as it can be."""

    @contextlib.asynccontextmanager
    async def start() -> AsyncGenerator[httpx.AsyncClient]:
        drain, listening = Drain(), open_socket("127.0.0.1", 0)
        drain.begin()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        client = connect(broker, name="gateway")
        async with contextlib.aclosing(client), asyncio.TaskGroup() as tasks:
            app = Parts(Settings(redis_url=broker), client, drain, tasks).make_app(None)
            server = Server(app, tls=None, places=Places(10), stop_within_s=1)
            with listening:
                serving = tasks.create_task(server.serve(sockets=[listening]))
                async with httpx.AsyncClient(base_url=url) as http:
                    yield http
                server.should_exit = True
                await serving

    return start
