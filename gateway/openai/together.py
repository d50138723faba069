"""Following several jobs of one request at once: one that fails ends them all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.relay import Relay
from shared.errors import PoolError

T = TypeVar("T")


async def together(relays: Sequence[Relay], follow: Callable[[int, Relay], Awaitable[T | None]]) -> list[T] | None:
    """Follow each relay, told its place; what came of each, in their order. None when the client has left.

    Raises:
        PoolError: the first that any of them met; the others were left then, so their jobs end as well.

    """
    errors: list[PoolError] = []

    async def run(place: int) -> T | None:
        try:
            return await follow(place, relays[place])
        except PoolError as error:
            errors.append(error)
            for relay in relays:  # not cancelled: a relay that is left returns at once, and nothing is torn
                relay.leave()
            return None

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run(place)) for place in range(len(relays))]
    if errors:
        raise errors[0]
    told = [result for task in running if (result := task.result()) is not None]
    return told if len(told) == len(relays) else None
