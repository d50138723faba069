"""The names under which vLLM's dashboards look for things (those of 0.11), as far as a gateway knows them.

Left out is what nobody here knows: `kv_cache_usage_perc` above all, since no fixed part of the memory is the cache's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.survey import Survey

from .figures import FIRST_TOKEN_S, PER_TOKEN_S, PHASE_S, TOKENS, Figures, Ledger

_LABELS = ["model_name"]
_FINISHED = ("stop", "length", "abort", "error")
_COUNTERS: Sequence[tuple[str, str, Callable[[Figures], float]]] = (
    ("prompt_tokens", "Prompts' tokens, of jobs that ended", lambda figures: figures.prompt_tokens.sum),
    ("generation_tokens", "Answers' tokens, as they were delivered", lambda figures: figures.tokens_seen),
    ("prefix_cache_queries", "Prompts' tokens that a cache may have had", lambda figures: figures.prompt_tokens.sum),
    ("prefix_cache_hits", "Prompts' tokens that needed no prefill", lambda figures: figures.cached_tokens),
)
_HISTOGRAMS = (
    ("time_to_first_token_seconds", "From the request to its first token", "first_token_s", FIRST_TOKEN_S),
    ("inter_token_latency_seconds", "Between deliveries of tokens to one client", "gap_s", PER_TOKEN_S),
    ("request_time_per_output_token_seconds", "A token behind an answer's first one", "per_token_s", PER_TOKEN_S),
    ("e2e_request_latency_seconds", "From the request to its end", "all_durations_s", PHASE_S),
    ("request_queue_time_seconds", "From a job's submit to its last claim", "queued_s", PHASE_S),
    ("request_prefill_time_seconds", "Reading the prompt", "prefill_s", PHASE_S),
    ("request_decode_time_seconds", "Generating", "decode_s", PHASE_S),
    ("request_prompt_tokens", "A prompt's tokens", "prompt_tokens", TOKENS),
    ("request_generation_tokens", "An answer's tokens", "answer_tokens", TOKENS),
)


class Streams(Collector):
    """What this process saw of the jobs that were submitted here."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        """All of it, as it is now."""
        by_model = self._ledger.by_model()
        yield from _counters(by_model)
        for name, told, attribute, bounds in _HISTOGRAMS:
            histogram = HistogramMetricFamily(f"vllm:{name}", told, labels=_LABELS)
            for model, figures in by_model.items():
                counted = figures.counted(attribute)
                histogram.add_metric([model], counted.buckets(bounds), counted.sum)
            yield histogram


def _counters(by_model: Mapping[str, Figures]) -> Iterator[Metric]:
    for name, told, count in _COUNTERS:
        counter = CounterMetricFamily(f"vllm:{name}", told, labels=_LABELS)
        for model, figures in by_model.items():
            counter.add_metric([model], count(figures))
        yield counter
    ended = CounterMetricFamily("vllm:request_success", "Jobs that ended, by how", labels=[*_LABELS, "finished_reason"])
    for model, figures in by_model.items():
        for reason in _FINISHED:
            ended.add_metric([model, reason], figures.ends[reason])
    yield ended


def queue_gauges(surveys: Sequence[Survey]) -> Iterator[Metric]:
    """What runs and what waits, in the whole pool."""
    running = GaugeMetricFamily("vllm:num_requests_running", "Jobs claimed and not ended", labels=_LABELS)
    waiting = GaugeMetricFamily("vllm:num_requests_waiting", "Jobs that nobody has claimed", labels=_LABELS)
    for survey in surveys:
        running.add_metric([survey.model], survey.running)
        waiting.add_metric([survey.model], survey.waiting_total)
    yield from (running, waiting)
