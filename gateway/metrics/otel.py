"""The metrics of OpenTelemetry's conventions for generative AI (1.37), by the names that Prometheus gives them.

`gen_ai.request.model` is the model that served, not the name that was asked for: clients may make that up.
"""

from collections.abc import Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .figures import OTEL_DURATION_S, OTEL_FIRST_TOKEN_S, OTEL_PER_TOKEN_S, OTEL_TOKENS, Kind, Ledger

PROVIDER = "mlx_pool"
_LABELS = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"]


class Streams(Collector):
    """What this process saw of the jobs that were submitted here."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """All of it, as it is now."""
        first = _family("server_time_to_first_token_seconds", "From the request to its first token")
        pace = _family("server_time_per_output_token_seconds", "An answer's time behind its first token, a token")
        took = _family("server_request_duration_seconds", "From the request to its end", "error_type")
        usage = _family("client_token_usage", "Tokens of prompts and answers", "gen_ai_token_type")
        for kind, figures in self._ledger:
            labels = _labels(kind)
            for family, counted, bounds in (
                (first, figures.first_token_s, OTEL_FIRST_TOKEN_S),
                (pace, figures.per_token_s, OTEL_PER_TOKEN_S),
            ):
                family.add_metric(labels, counted.buckets(bounds), counted.sum)
            for error, counted in figures.duration_s.items():
                took.add_metric([*labels, error], counted.buckets(OTEL_DURATION_S), counted.sum)
            for name, counted in (("input", figures.prompt_tokens), ("output", figures.answer_tokens)):
                usage.add_metric([*labels, name], counted.buckets(OTEL_TOKENS), counted.sum)
        yield from (first, pace, took, usage)


def _family(name: str, told: str, *more: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"gen_ai_{name}", told, labels=[*_LABELS, *more])


def _labels(kind: Kind) -> Sequence[str]:
    return [kind.operation, PROVIDER, kind.model, kind.model]
