"""A gateway on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.__main__ import open_socket
from gateway.access.keys_file import KeysFile
from gateway.access.lock import Lock
from gateway.drain import Drain
from gateway.service import serve
from gateway.settings import Settings
from tests.ports import FreePort

from .hand import Served, at_work

Eventually = Callable[..., Awaitable[None]]
Serving = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serving(broker: str, free_port: FreePort) -> Serving:
    """Serve for the length of a block; options are the gateway's settings, `has_worker=False` for a pool without.

    `key` is one that all clients share, `keys` a file of keys; the client shows none by itself.
    """

    @contextlib.asynccontextmanager
    async def start(
        *, url: str = broker, key: str | None = None, keys: Path | None = None, has_worker: bool = True, **settings: Any
    ) -> AsyncGenerator[Served]:
        drain, port = Drain(), free_port()
        listening = open_socket("127.0.0.1", port)
        settings.setdefault("drain_s", 0)
        chosen = Settings(redis_url=url, **settings)
        lock = Lock(key, KeysFile(keys) if keys else None) if key or keys else None
        async with at_work(url, has_lease=has_worker) as hand, asyncio.TaskGroup() as tasks:
            with listening:
                gateway = tasks.create_task(serve(chosen, lock, listening, drain))
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
                    yield Served(http, port, hand, drain)
                drain.begin()
                await gateway

    return start
