"""A gateway on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from gateway.__main__ import open_socket
from gateway.drain import Drain
from gateway.keys import ApiKey
from gateway.service import serve
from gateway.settings import Settings

from .hand import Served, at_work

Eventually = Callable[..., Awaitable[None]]
Serving = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serving(broker: str) -> Serving:
    """Serve for the length of a block; options are the gateway's settings, `has_worker=False` for a pool without."""

    @contextlib.asynccontextmanager
    async def start(
        *, url: str = broker, key: str | None = None, has_worker: bool = True, **settings: Any
    ) -> AsyncGenerator[Served]:
        drain, listening = Drain(), open_socket("127.0.0.1", 0)
        port = listening.getsockname()[1]
        settings.setdefault("drain_s", 0)
        chosen = Settings(redis_url=url, **settings)
        async with at_work(url, has_lease=has_worker) as hand, asyncio.TaskGroup() as tasks:
            with listening:
                gateway = tasks.create_task(serve(chosen, ApiKey(key) if key else None, listening, drain))
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
                    yield Served(http, port, hand, drain)
                drain.begin()
                await gateway

    return start
