"""How long jobs waited for a worker, by class and tenant: from the request's receipt to the first `started`."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .distribution import Distribution

WAIT_S = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1_920.0, 7_680.0),
)
MOST_TENANTS = 64  # each is some dozen time series a class
OTHERS = "other"


class Waits:
    """What was waited. Tenants are those of configured keys, so no client can make one up; beyond 64 they are one."""

    def __init__(self) -> None:
        self._tenants: set[str] = set()
        self._waits: dict[tuple[str, str], Distribution] = {}

    def of(self, job_class: str, tenant: str) -> Distribution:
        """Where the waits of a class and tenant are counted."""
        if len(self._tenants) < MOST_TENANTS:
            self._tenants.add(tenant)
        key = job_class, tenant if tenant in self._tenants else OTHERS
        return self._waits.setdefault(key, Distribution(WAIT_S))

    def __iter__(self) -> Iterator[tuple[tuple[str, str], Distribution]]:
        """All of them, by class and tenant."""
        return iter(list(self._waits.items()))


class WaitHistogram(Collector):
    """What this process saw of the jobs that were submitted here, as a metric; with tenants, or without their names."""

    def __init__(self, waits: Waits, *, tells_tenants: bool) -> None:
        self._waits = waits
        self._tells_tenants = tells_tenants

    def collect(self) -> Iterator[Metric]:
        """All of it, as it is now."""
        family = HistogramMetricFamily(
            "mlx_pool_gateway_wait_seconds", "From the request to a worker's beginning", labels=["class", "tenant"]
        )
        told = defaultdict[tuple[str, str], Distribution](lambda: Distribution(WAIT_S))
        for (job_class, tenant), counted in self._waits:
            told[job_class, tenant if self._tells_tenants else ""].merge(counted)
        for labels, counted in told.items():
            family.add_metric(list(labels), counted.buckets(WAIT_S), counted.sum)
        yield family
