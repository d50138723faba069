"""When a client may come back whose job found no room in the queue: by how long the like of it waits. Pure."""

from shared.errors import Refused
from shared.queue import Crowded
from shared.survey import Survey

SOONEST_MS = 1_000


def come_back_ms(refused: Refused, survey: Survey, job_class: str, tokens: int | None) -> int | None:
    """How long to wait, in ms, before a job of this class and size is asked for again.

    The queue is full: as long as it would wait there, so that coming sooner gains nothing. The tenant has k jobs
    waiting: these lie anywhere in the line, so the first of them leaves it after about one part of k + 1. What the
    refusal itself says, where nobody knows how long jobs wait.
    """
    wait_ms = survey.wait_ms_of_new(job_class, tokens)
    if wait_ms is None or refused.code not in {"queue_full", "too_many_jobs"}:
        return refused.retry_after_ms
    parts = refused.waiting + 1 if isinstance(refused, Crowded) else 1
    return max(SOONEST_MS, wait_ms // parts)
