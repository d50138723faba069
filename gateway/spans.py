"""A request as a span, for a collector: the one in whose trace the job goes on at its worker.

Names and attributes are those of OpenTelemetry's conventions. Models, counts and ids only: never a prompt or an answer.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Scope

from shared.event import Done, Error
from shared.tracing import Attribute, Span, Tracing

from .course import Course
from .metrics.otel import PROVIDER
from .receipt import Receipt

_TRACED = ("/chat", "/v1/")


class Spans:
    """Begins and ends the spans of requests."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def begin(self, scope: Scope) -> Span | None:
        """Begin a request's span, if it may be about a job; whoever reads the headers behind finds it as the parent."""
        if not scope["path"].startswith(_TRACED):
            return None
        given = Headers(scope=scope)
        trace, state = given.get("traceparent", ""), given.get("tracestate", "")
        span = self._tracing.begin(scope["method"], "server", trace=trace, state=state)
        MutableHeaders(scope=scope)["traceparent"] = span.trace
        return span


def end_span(span: Span, receipt: Receipt, *, method: str, route: str, status: int) -> None:
    """Tell how a request went, and its jobs."""
    span.note({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if receipt.courses:
        span.note(attributes_of(receipt.courses))
    for course in receipt.courses:
        if course.first_at_s is not None:
            span.happen("first_token", ago_s=receipt.age_s - (course.first_at_s - receipt.at_s))
    errors = [course.end.code for course in receipt.courses if isinstance(course.end, Error)]
    span.end(name=f"{method} {route}", error=errors[0] if errors else str(status) if status >= 500 else "")


def attributes_of(courses: Sequence[Course]) -> dict[str, Attribute]:
    """What the conventions ask for of a request's jobs, which are all of one kind."""
    first = courses[0]
    ends = [course.end for course in courses if isinstance(course.end, Done)]
    told: dict[str, Attribute] = {
        "mlx_pool.job.id": [course.job_id for course in courses],
        "gen_ai.operation.name": first.kind.operation,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": first.kind.model,
        "gen_ai.response.model": first.kind.model,
        "gen_ai.usage.output_tokens": sum(course.tokens for course in courses),
    }
    if ends:
        told["gen_ai.usage.input_tokens"] = sum(end.usage.prompt_tokens for end in ends)
        told["gen_ai.response.finish_reasons"] = [end.reason for end in ends]
    return told
