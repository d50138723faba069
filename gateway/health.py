"""Whether the pool can serve: Redis answers, and a worker is ready, or loads a model when a job asks for it.

Green means that a token would come. A worker that stands by counts: were it red, a proxy that goes by this would send
no job, so that nothing would ever be loaded.
"""

import msgspec

from shared.errors import Fault

from .metrics.pool import Summary, pool_summary
from .surveys import Surveys


class Health(Summary, frozen=True, kw_only=True, tag_field="status", tag="ok"):
    """The pool serves."""


async def check_health(surveys: Surveys, *, is_draining: bool) -> Health:
    """Return the figures of a pool that serves.

    Raises:
        Fault: with the reason why it does not: draining, broker_down or no_worker.

    """
    if is_draining:
        raise Fault("draining", "This gateway stops.")
    found = await surveys.all()
    if not any(survey.may_serve for survey in found):
        states = sorted({worker.state for survey in found for worker in survey.live_workers})
        raise Fault("no_worker", f"No worker is ready{': ' + ', '.join(states) if states else ''}.")
    return Health(**msgspec.structs.asdict(pool_summary(found)))
