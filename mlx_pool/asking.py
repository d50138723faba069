"""One question to the queue: a connection, what is asked on it, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.connection import Broker, connect

T = TypeVar("T")


def ask(url: str, question: Callable[[Broker], Awaitable[T]], *, name: str) -> T:
    """Ask, and give the answer; the connection bears the command's name, and is closed whatever happens."""
    return asyncio.run(_ask(url, question, name))


async def _ask(url: str, question: Callable[[Broker], Awaitable[T]], name: str) -> T:
    client = connect(url, name=name)
    try:
        return await question(client)
    finally:
        await client.aclose()
