"""The pool as a page is told of it once a second: plain data."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.pool import PoolModel, PoolQueue, PoolView, PoolWorker
from shared.survey import Survey

from .first_tokens import Waits
from .incident import Incident

POINTS_KEPT = 400
INCIDENTS_TOLD = 30


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the plots; of the first tokens those that came at this gateway."""

    at_ms: int
    tokens_per_second: float
    first_token_ms: float | None
    slow_first_token_ms: float | None  # one in twenty waits longer
    oldest_wait_ms: int
    expected_wait_ms: int | None
    waiting: int
    running: int


class PoolNow(msgspec.Struct, frozen=True, kw_only=True):
    """The pool at one moment, with what happened last, newest first; with a `fault` it is as it was before that."""

    at_ms: int
    workers: list[PoolWorker]
    models: list[PoolModel]
    queues: list[PoolQueue]
    point: Point | None
    incidents: list[Incident]
    fault: str | None = None


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is told first: the last minutes, and what it may do here."""

    version: str
    may_operate: bool
    queue_url: str | None  # for operators, without its password
    points: Sequence[Point]
    paces: Mapping[str, Sequence[float]]  # by worker
    now: PoolNow


def point_of(surveys: Sequence[Survey], waits: Waits, at_ms: int) -> Point:
    """The figures of all queues together."""
    expected = [wait for survey in surveys if (wait := survey.expected_wait_ms) is not None]
    return Point(
        at_ms=at_ms,
        tokens_per_second=round(sum(_pace(survey) for survey in surveys), 1),
        first_token_ms=waits.median_ms,
        slow_first_token_ms=waits.most_ms,
        oldest_wait_ms=max((survey.oldest_wait_ms for survey in surveys), default=0),
        expected_wait_ms=max(expected, default=None),
        waiting=sum(survey.waiting_total for survey in surveys),
        running=sum(survey.running for survey in surveys),
    )


def now_of(
    view: PoolView, workers: Iterable[PoolWorker], *, point: Point, incidents: deque[Incident], at_ms: int
) -> PoolNow:
    """The whole of it."""
    told = list(incidents)[-INCIDENTS_TOLD:][::-1]
    return PoolNow(
        at_ms=at_ms, workers=list(workers), models=view.models, queues=view.queues, point=point, incidents=told
    )


def without_jobs(now: PoolNow) -> PoolNow:
    """The same without the ids of jobs, which are their tenants' affair."""
    return msgspec.structs.replace(now, incidents=[msgspec.structs.replace(each, job="") for each in now.incidents])


def _pace(survey: Survey) -> float:
    return sum(worker.tokens_per_second for worker in survey.live_workers if worker.busy)
