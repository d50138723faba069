"""Which machines of the pool give a model to this one."""

from functools import partial

from mlx_pool.asking import ask
from shared.connection import Broker
from shared.errors import PoolError
from shared.peers import Peers
from shared.supply import Supply


def supply_in(url: str, queue: str) -> Supply | None:
    """Find them; none where nobody does, or where this user of Redis may not know."""
    return ask(url, partial(_supply, queue=queue), name="join")


async def _supply(broker: Broker, *, queue: str) -> Supply | None:
    try:
        return await Peers(broker).supply(queue)
    except PoolError:
        return None
