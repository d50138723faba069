"""What this process, and with `?scope=pool` the whole pool, has to tell a monitor.

The way of a token counts in plain numbers (`gateway.delivery.Tally`); they become metrics when somebody scrapes.
Names, models and counts only: nothing of any prompt or answer.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.survey import Survey, WorkerView

from .delivery import Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST_EVENT_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WORKER_GAUGES = ("slots", "busy", "tokens_per_second", "memory_bytes", "kv_bytes", "cache_bytes", "engine_deaths")
_WORKER_COUNTERS = ("jobs_done", "tokens_done", "cache_hits", "cache_saved_tokens")


class Metrics:
    """This process's figures."""

    def __init__(self, tally: Tally, open_streams: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._registry.register(_Process(tally, self._answers, open_streams))
        ProcessCollector(registry=self._registry)
        self._first_event = Histogram(
            "mlx_pool_gateway_first_event_seconds",
            "From a chat request's arrival to its first event",
            buckets=_FIRST_EVENT_S,
            registry=self._registry,
        )

    def answered(self, route: str, method: str, status: int, after_s: float) -> None:
        """Count an answer by its head; that of a stream waits for the first event."""
        self._answers[route, method, str(status)] += 1
        if route == "/chat" and status == 200:
            self._first_event.observe(after_s)

    def text(self) -> bytes:
        """The process's figures in Prometheus's format."""
        return generate_latest(self._registry)


class _Process(Collector):
    def __init__(self, tally: Tally, answers: Counter[tuple[str, str, str]], open_streams: Callable[[], int]) -> None:
        self._tally = tally
        self._answers = answers
        self._open_streams = open_streams

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "mlx_pool_gateway_answers", "Answers by route and status", labels=["route", "method", "status"]
        )
        for labels, count in self._answers.items():
            answers.add_metric(labels, count)
        yield answers
        yield GaugeMetricFamily("mlx_pool_gateway_streams", "Streams open now", value=self._open_streams())
        for name, told in (
            ("events", "Events relayed"),
            ("tokens", "Generated ids whose text was relayed"),
            ("log_reads", "Reads of an event log, to fill a gap or to replay"),
            ("overflows", "Batches let go because their client did not read"),
            ("rejoins", "Times that Redis was found to have lost the tail of a log"),
        ):
            yield CounterMetricFamily(f"mlx_pool_gateway_{name}", told, value=getattr(self._tally, name))


class _Pool(Collector):
    def __init__(self, surveys: Sequence[Survey]) -> None:
        self._surveys = surveys

    def collect(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._workers()

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("mlx_pool_waiting_jobs", "Jobs that nobody has claimed", labels=["model", "class"])
        running = GaugeMetricFamily("mlx_pool_running_jobs", "Jobs claimed and not ended", labels=["model"])
        oldest = GaugeMetricFamily("mlx_pool_oldest_wait_seconds", "Age of the oldest waiting job", labels=["model"])
        dead = GaugeMetricFamily("mlx_pool_dead_letters", "Jobs that nobody can run", labels=["model"])
        for survey in self._surveys:
            for job_class, count in survey.waiting.items():
                waiting.add_metric([survey.model, job_class], count)
            running.add_metric([survey.model], survey.running)
            oldest.add_metric([survey.model], survey.oldest_wait_ms / 1_000)
            dead.add_metric([survey.model], survey.dead_letters)
        yield from (waiting, running, oldest, dead)

    def _workers(self) -> Iterator[Metric]:
        workers = [worker for survey in self._surveys for worker in survey.workers]
        ready = GaugeMetricFamily("mlx_pool_worker_ready", "1 when it takes jobs", labels=["model", "worker"])
        for worker in workers:
            ready.add_metric(_labels(worker), worker.is_ready)
        yield ready
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
    """All queues' and workers' figures in Prometheus's format; to be scraped at one gateway only."""
    registry = CollectorRegistry()
    registry.register(_Pool(surveys))
    return generate_latest(registry)


def pool_summary(surveys: Sequence[Survey]) -> dict[str, Any]:
    """The pool in seven numbers, for a person or a script."""
    ready = [worker for survey in surveys for worker in survey.ready_workers]
    return {
        "ready": bool(ready),
        "queue_length": sum(survey.waiting_total for survey in surveys),
        "oldest_wait_ms": max((survey.oldest_wait_ms for survey in surveys), default=0),
        "workers": len(ready),
        "slots": sum(worker.slots for worker in ready),
        "busy": sum(worker.busy for worker in ready),
        "tokens_per_second": sum(worker.tokens_per_second for worker in ready),
    }


def _labels(worker: WorkerView) -> list[str]:
    return [worker.model, worker.id]
