"""Attempts as spans, for a collector: each a part of the trace that its job came with.

Names and attributes are those of OpenTelemetry's conventions, and the pool's own. Never a prompt or an answer.
"""

from shared.tracing import Span, Tracing

from .run import Run


class Spans:
    """Begins and ends the spans of one incarnation's attempts."""

    def __init__(self, tracing: Tracing, *, model: str, worker_id: str) -> None:
        self._tracing = tracing
        self._fixed = {
            "gen_ai.provider.name": "mlx_pool",
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "mlx_pool.worker": worker_id,
        }
        self._spans: dict[Run, Span] = {}

    def begin(self, run: Run) -> None:
        """Begin an attempt's span; one that has ended and is only told of again has had its own."""
        if run.ending is not None:
            return
        span = self._tracing.begin(
            f"attempt {self._fixed['gen_ai.request.model']}", "consumer", trace=run.claimed.trace
        )
        span.note(self._fixed | {"mlx_pool.job.id": run.id, "mlx_pool.attempt": run.claimed.attempt})
        span.happen("claimed")
        self._spans[run] = span

    def end(self, run: Run) -> None:
        """End an attempt's span: with the job, or since another attempt goes on with it."""
        span = self._spans.pop(run, None)
        if span is None:
            return
        if run.first_token_at_s is not None:
            span.happen("first_token", ago_s=run.age_s - (run.first_token_at_s - run.began_at_s))
        span.happen(run.ending or "handed_over")
        span.note(
            {
                "gen_ai.usage.input_tokens": run.prompt_tokens,
                "gen_ai.usage.output_tokens": run.generated,
                "mlx_pool.resumed_tokens": len(run.past.tokens),
            }
        )
        if run.ending == "done":
            span.note({"gen_ai.response.finish_reasons": [run.outcome]})
        span.end(error=run.outcome if run.ending == "error" else "")
