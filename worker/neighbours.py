"""Which machines of the pool give this one the model that it is to serve, asked before it joins."""

from contextlib import aclosing

from shared.connection import Broker, connect
from shared.errors import Fault, Refused
from shared.peers import Peers
from shared.supply import Supply

from .weights import room

_WITHIN_MS = 2_000


async def supply_for(name: str, redis_url: str) -> Supply | None:
    """Find who gives it; nobody, where it is here already, or where Redis can't tell now.

    Raises:
        Refused: the address is none.

    """
    async with aclosing(connect(redis_url, name="worker", timeout_ms=_WITHIN_MS)) as broker:
        try:
            # What is here takes a process of its own to find out: only where anybody gives anything.
            queue = await _missing(name) if await Peers(broker).all() else ""
        except Fault:
            return None
        return await supply_in(broker, queue) if queue else None


async def supply_in(broker: Broker, queue: str) -> Supply | None:
    """Find who gives a queue's model; nobody, where Redis can't tell now."""
    try:
        return await Peers(broker).supply(queue)
    except Fault:
        return None


async def _missing(name: str) -> str:
    """The queue of a model that is not here; of one that nothing here knows, which may be the pool's own, its name."""
    try:
        (known,) = await room([name])
    except Refused:
        return name
    return "" if known.present else known.queue
