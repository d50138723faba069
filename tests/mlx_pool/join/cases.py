"""Pools that were seen, as values."""

from mlx_pool.join.pool import Seen
from shared.survey import Survey, WorkerView

LIVE = WorkerView(id="mac.1.ab", state="ready", slots=16, lease_ends_in_ms=900, version="1.0")


def seen(*served: str, idle: tuple[str, ...] = (), clock_ahead_ms: float = 0.0) -> Seen:
    """A pool of these models, one worker each but for those that are idle."""
    surveys = [_survey(name, [LIVE]) for name in served] + [_survey(name, []) for name in idle]
    return Seen(models=frozenset((*served, *idle)), surveys=tuple(surveys), clock_ahead_ms=clock_ahead_ms)


def _survey(model: str, workers: list[WorkerView]) -> Survey:
    return Survey(model, 0, {"std": 2}, 0, 0, workers, 0)
