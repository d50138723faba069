"""The queues as one look shows them; who may not list them looks into those that are named."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from mlx_pool.asking import ask
from shared.connection import Broker
from shared.errors import Fault
from shared.pool import Pool
from shared.survey import Survey

_DENIED: Final = "Redis refuses"


def surveys(url: str, named: Iterable[str]) -> list[Survey]:
    """Survey all queues, or those named where this user of Redis may see no others.

    Raises:
        Fault: Redis does not answer.
        Refused: it wants another password.

    """
    return ask(url, partial(_surveys, named=frozenset(named)), name="upgrade")


async def _surveys(broker: Broker, *, named: frozenset[str]) -> list[Survey]:
    pool = Pool(broker)
    try:
        models = await pool.models()
    except Fault as fault:
        if not fault.message.startswith(_DENIED):
            raise
        models = named
    return [survey for model in sorted(models) if (survey := await _survey(pool, model)) is not None]


async def _survey(pool: Pool, model: str) -> Survey | None:
    """A user may have the rights to some queues only."""
    try:
        return await pool.queue(model).survey()
    except Fault as fault:
        if not fault.message.startswith(_DENIED):
            raise
        return None
