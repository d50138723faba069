"""This process's figures."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.delivery import Tally

from . import otel, vllm
from .distribution import Distribution
from .figures import Ledger
from .waits import WaitHistogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST_EVENT_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """This process's figures."""

    def __init__(self, tally: Tally, ledger: Ledger, open_streams: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._first_event = Distribution(_FIRST_EVENT_S)
        self._registry.register(_Process(tally, self._answers, self._first_event, open_streams))
        self._registry.register(vllm.Streams(ledger))
        self._registry.register(otel.Streams(ledger))
        ProcessCollector(registry=self._registry)
        self._waits = {tells: CollectorRegistry() for tells in (False, True)}
        for tells, registry in self._waits.items():
            registry.register(WaitHistogram(ledger.waits, tells_tenants=tells))

    def answered(self, route: str, method: str, status: int, after_s: float) -> None:
        """Count an answer by its head; that of a stream waits for the first event."""
        self._answers[route, method, str(status)] += 1
        if route == "/chat" and status == 200:
            self._first_event.add(after_s)

    def text(self, *, tells_tenants: bool) -> bytes:
        """The process's figures in Prometheus's format; who the tenants are is not for everybody."""
        return generate_latest(self._registry) + generate_latest(self._waits[tells_tenants])


class _Process(Collector):
    def __init__(
        self,
        tally: Tally,
        answers: Counter[tuple[str, str, str]],
        first_event: Distribution,
        open_streams: Callable[[], int],
    ) -> None:
        self._tally = tally
        self._answers = answers
        self._first_event = first_event
        self._open_streams = open_streams

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "mlx_pool_gateway_answers", "Answers by route and status", labels=["route", "method", "status"]
        )
        for labels, count in self._answers.items():
            answers.add_metric(labels, count)
        yield answers
        yield HistogramMetricFamily(
            "mlx_pool_gateway_first_event_seconds",
            "From a chat request's arrival to its first event",
            buckets=self._first_event.buckets(_FIRST_EVENT_S),
            sum_value=self._first_event.sum,
        )
        yield GaugeMetricFamily("mlx_pool_gateway_streams", "Streams open now", value=self._open_streams())
        for name, told in (
            ("events", "Events relayed"),
            ("tokens", "Generated ids whose text was relayed"),
            ("log_reads", "Reads of an event log, to fill a gap or to replay"),
            ("overflows", "Batches let go because their client did not read"),
            ("rejoins", "Times that Redis was found to have lost the tail of a log"),
        ):
            yield CounterMetricFamily(f"mlx_pool_gateway_{name}", told, value=getattr(self._tally, name))
