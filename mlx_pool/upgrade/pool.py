"""The queues as one look shows them; who may not list them looks into those that are named."""

from collections.abc import Iterable
from functools import partial

from mlx_pool.asking import ask, if_allowed
from shared.connection import Broker
from shared.pool import Pool
from shared.survey import Survey


def surveys(url: str, named: Iterable[str]) -> list[Survey]:
    """Survey all queues, or those named where this user of Redis may see no others.

    Raises:
        Fault: Redis does not answer.
        Refused: it wants another password.

    """
    return ask(url, partial(_surveys, named=frozenset(named)), name="upgrade")


async def _surveys(broker: Broker, *, named: frozenset[str]) -> list[Survey]:
    pool = Pool(broker)
    models = await if_allowed(pool.models())
    found = [await if_allowed(pool.queue(model).survey()) for model in sorted(named if models is None else models)]
    return [survey for survey in found if survey is not None]
