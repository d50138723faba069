"""Waiting until this machine's worker is seen in its queue, ready for jobs, as every gateway sees it."""

import asyncio
from collections.abc import Callable
from typing import Final

from shared.connection import Broker
from shared.errors import Fault
from shared.pool import Pool
from shared.survey import Survey, WorkerView

_LOOK_EVERY_S: Final = 0.1

IsOurs = Callable[[WorkerView], bool]


async def arrival(broker: Broker, queue: str, is_ours: IsOurs) -> tuple[Survey, WorkerView]:
    """Return once such a worker takes jobs, or stands by for them. There is no limit: models may take long to load."""
    while True:
        try:
            survey = await Pool(broker).queue(queue).survey()
        except Fault:
            survey = None  # Redis may come back, and the worker waits for it too
        if survey and (found := arrived(survey, is_ours)):
            return survey, found
        await asyncio.sleep(_LOOK_EVERY_S)


def arrived(survey: Survey, is_ours: IsOurs) -> WorkerView | None:
    """Find our worker, if it would take a job."""
    return next((view for view in survey.workers if (view.is_ready or view.is_standing_by) and is_ours(view)), None)
