"""`GET /pool`: the workers, models and queues, for people and their tools."""

from collections.abc import Sequence

import msgspec

from shared.survey import Survey, WorkerView


class PoolWorker(WorkerView, frozen=True, omit_defaults=False):
    """A worker as it tells of itself; every field is there, whether it is 0 or not."""


class PoolModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and who could serve it at once; `loading`: nobody yet, and somebody has loaded so much of it, 0 … 1."""

    id: str
    loaded: bool
    loading: float | None
    ready_workers: int
    free_slots: int


class PoolQueue(msgspec.Struct, frozen=True, kw_only=True):
    """A model's queue; an expected wait is null where nobody is ready, or no worker has ended a job of late.

    `expected_wait_ms` is that of a job of class `std`, `expected_wait_ms_by_class` tells of each.
    """

    model: str
    waiting: int
    waiting_by_class: dict[str, int]
    running: int
    oldest_wait_ms: int
    expected_wait_ms: int | None
    expected_wait_ms_by_class: dict[str, int | None]
    dead_letters: int


class PoolView(msgspec.Struct, frozen=True):
    """All of it."""

    workers: list[PoolWorker]
    models: list[PoolModel]
    queues: list[PoolQueue]


def pool_view(surveys: Sequence[Survey]) -> PoolView:
    """The pool as JSON-to-be."""
    return PoolView(
        workers=[_worker(worker) for survey in surveys for worker in survey.workers],
        models=[_model(survey) for survey in surveys],
        queues=[_queue(survey) for survey in surveys],
    )


def _worker(worker: WorkerView) -> PoolWorker:
    return PoolWorker(**msgspec.structs.asdict(worker))


def _model(survey: Survey) -> PoolModel:
    ready = len(survey.ready_workers)
    return PoolModel(
        id=survey.model,
        loaded=ready > 0,
        loading=survey.loading,
        ready_workers=ready,
        free_slots=survey.free_slots,
    )


def _queue(survey: Survey) -> PoolQueue:
    return PoolQueue(
        model=survey.model,
        waiting=survey.waiting_total,
        waiting_by_class=survey.waiting,
        running=survey.running,
        oldest_wait_ms=survey.oldest_wait_ms,
        expected_wait_ms=survey.expected_wait_ms,
        expected_wait_ms_by_class=survey.expected_wait_ms_by_class,
        dead_letters=survey.dead_letters,
    )
