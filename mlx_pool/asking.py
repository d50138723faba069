"""One question to the queue: a connection, what is asked on it, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.connection import Broker, connect
from shared.errors import Fault

T = TypeVar("T")

_DENIED = "Redis refuses: "


def ask(url: str, question: Callable[[Broker], Awaitable[T]], *, name: str) -> T:
    """Ask, and give the answer; the connection bears the command's name, and is closed whatever happens."""
    return asyncio.run(_ask(url, question, name))


async def _ask(url: str, question: Callable[[Broker], Awaitable[T]], name: str) -> T:
    client = connect(url, name=name)
    try:
        return await question(client)
    finally:
        await client.aclose()


async def if_allowed(asked: Awaitable[T]) -> T | None:
    """Give what was asked for; None where this user of Redis has no right to it, as a worker's own to other queues."""
    try:
        return await asked
    except Fault as fault:
        if not fault.message.startswith(_DENIED):
            raise
        return None
