"""Whether the pool can serve: Redis answers, and a worker is ready. Green means that a token would come."""

from shared.errors import Fault
from shared.survey import Survey

from .surveys import Surveys


async def check_health(surveys: Surveys, *, is_draining: bool) -> list[Survey]:
    """Return the surveys of a pool that serves.

    Raises:
        Fault: with the reason why it does not: draining, broker_down or no_worker.

    """
    if is_draining:
        raise Fault("draining", "This gateway stops.")
    found = await surveys.all()
    if not any(survey.ready_workers for survey in found):
        states = sorted({worker.state for survey in found for worker in survey.live_workers})
        raise Fault("no_worker", f"No worker is ready{': ' + ', '.join(states) if states else ''}.")
    return found
