"""`GET /pool`: the workers, models and queues, for people and their tools."""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.survey import Survey


def pool_fields(surveys: Sequence[Survey]) -> dict[str, Any]:
    """The pool as JSON-to-be; every field is there, whether it is 0 or not."""
    return {
        "workers": [_fields(worker) for survey in surveys for worker in survey.workers],
        "models": [_model(survey) for survey in surveys],
        "queues": [_queue(survey) for survey in surveys],
    }


def _model(survey: Survey) -> dict[str, Any]:
    return {"id": survey.model, "ready_workers": len(survey.ready_workers), "free_slots": survey.free_slots}


def _queue(survey: Survey) -> dict[str, Any]:
    return {
        "model": survey.model,
        "waiting": survey.waiting_total,
        "waiting_by_class": survey.waiting,
        "running": survey.running,
        "oldest_wait_ms": survey.oldest_wait_ms,
        "expected_wait_ms": survey.expected_wait_ms,
        "dead_letters": survey.dead_letters,
    }


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}
