"""The routes that the application has, so that no test forgets a new one."""

import asyncio
from typing import Any

from gateway.drain import Drain
from gateway.service import Parts
from gateway.settings import Settings
from shared.connection import connect


async def all_routes() -> list[tuple[str, str]]:
    """Each by each of its methods."""
    async with asyncio.TaskGroup() as tasks:
        broker = connect("redis://127.0.0.1:1", name="never-asked")
        app = Parts(Settings(), broker, Drain(), tasks).make_app(None)
        routes: Any = app.app.routes  # pyright: ignore[reportFunctionMemberAccess] it is the door
        return [(method, route.path) for route in routes for method in sorted(route.methods)]
