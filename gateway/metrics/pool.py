"""The whole pool's figures, from its surveys: to be scraped at one gateway only."""

from collections.abc import Iterator, Sequence

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.survey import Survey, WorkerView

from .vllm import queue_gauges

_WORKER_GAUGES = (
    *("slots", "busy", "tokens_per_second", "memory_bytes", "memory_limit_bytes", "kv_bytes", "cache_bytes"),
    "engine_deaths",
)
_WORKER_COUNTERS = (
    *("jobs_done", "tokens_done", "cache_hits", "cache_saved_tokens", "prompt_tokens", "handed_back"),
    *("looks", "home_claims", "forced_claims", "held_s"),
    *("loads", "unloads"),
)
_PRESSURES = {"soft": 1, "hard": 2}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The pool in seven numbers: jobs that wait, for how long the oldest, and what the ready workers have and do.

    `ready`: a job would get its turn, though a model may have to be loaded first.
    """

    ready: bool
    queue_length: int
    oldest_wait_ms: int
    workers: int
    slots: int
    busy: int
    tokens_per_second: float


class _Pool(Collector):
    def __init__(self, surveys: Sequence[Survey]) -> None:
        self._surveys = surveys

    def collect(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._workers()
        yield from queue_gauges(self._surveys)

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("mlx_pool_waiting_jobs", "Jobs that nobody has claimed", labels=["model", "class"])
        running = GaugeMetricFamily("mlx_pool_running_jobs", "Jobs claimed and not ended", labels=["model"])
        oldest = GaugeMetricFamily("mlx_pool_oldest_wait_seconds", "Age of the oldest waiting job", labels=["model"])
        dead = GaugeMetricFamily("mlx_pool_dead_letters", "Jobs that nobody can run", labels=["model"])
        expected = GaugeMetricFamily(
            "mlx_pool_expected_wait_seconds", "What a new job would wait, where it is known", labels=["model", "class"]
        )
        for survey in self._surveys:
            for job_class, count in survey.waiting.items():
                waiting.add_metric([survey.model, job_class], count)
            running.add_metric([survey.model], survey.running)
            oldest.add_metric([survey.model], survey.oldest_wait_ms / 1_000)
            dead.add_metric([survey.model], survey.dead_letters)
            for job_class, wait_ms in survey.expected_wait_ms_by_class.items():
                if wait_ms is not None:
                    expected.add_metric([survey.model, job_class], wait_ms / 1_000)
        yield from (waiting, running, oldest, dead, expected)

    def _workers(self) -> Iterator[Metric]:
        workers = [worker for survey in self._surveys for worker in survey.workers]
        ready = GaugeMetricFamily("mlx_pool_worker_ready", "1 when it takes jobs", labels=["model", "worker"])
        for worker in workers:
            ready.add_metric(_labels(worker), worker.is_ready)
        yield ready
        told = "1 when its memory is short, 2 when it hands jobs back"
        pressure = GaugeMetricFamily("mlx_pool_worker_pressure", told, labels=["model", "worker"])
        for worker in workers:
            pressure.add_metric(_labels(worker), _PRESSURES.get(worker.pressure, 0))
        yield pressure
        for name in _WORKER_GAUGES:
            gauge = GaugeMetricFamily(f"mlx_pool_worker_{name}", f"A worker's {name}", labels=["model", "worker"])
            for worker in workers:
                gauge.add_metric(_labels(worker), getattr(worker, name))
            yield gauge
        for name in _WORKER_COUNTERS:
            counter = CounterMetricFamily(f"mlx_pool_worker_{name}", f"A worker's {name}", labels=["model", "worker"])
            for worker in workers:
                counter.add_metric(_labels(worker), getattr(worker, name))
            yield counter


def pool_text(surveys: Sequence[Survey]) -> bytes:
    """All queues' and workers' figures in Prometheus's format."""
    registry = CollectorRegistry()
    registry.register(_Pool(surveys))
    return generate_latest(registry)


def pool_summary(surveys: Sequence[Survey]) -> Summary:
    """The pool in seven numbers, for a person or a script."""
    ready = [worker for survey in surveys for worker in survey.ready_workers]
    return Summary(
        ready=any(survey.may_serve for survey in surveys),
        queue_length=sum(survey.waiting_total for survey in surveys),
        oldest_wait_ms=max((survey.oldest_wait_ms for survey in surveys), default=0),
        workers=len(ready),
        slots=sum(worker.slots for worker in ready),
        busy=sum(worker.busy for worker in ready),
        tokens_per_second=sum(worker.tokens_per_second for worker in ready),
    )


def _labels(worker: WorkerView) -> list[str]:
    return [worker.model, worker.id]
