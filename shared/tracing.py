"""Traces: the W3C context that goes with a job from its request to its worker, and the spans both may tell of it.

The context is carried whoever traces. Spans are exported by OTLP over HTTP, only where a collector is named; the
libraries for it are an extra, imported then. All of their names stand in this module.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as Recorded
    from opentelemetry.trace import Tracer

CLOSE_WITHIN_S = 3.0
_CONTEXT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

Attribute = str | int | float | list[str]
Role = Literal["server", "consumer"]


def context_in(text: str) -> str:
    """A traceparent as it was given, if it is one, else the empty string."""
    return text if _CONTEXT.fullmatch(text) else ""


def trace_id_of(trace: str) -> str:
    """The id that all of a trace shares, for logs; the empty string where there is none."""
    found = _CONTEXT.fullmatch(trace)
    return found[1] if found else ""


class Span:
    """Something that takes a while, on its way to a collector. Never a prompt or an answer in it."""

    def __init__(self, recorded: "Recorded") -> None:
        self._recorded = recorded
        context = recorded.get_span_context()
        # What happens under it, in this process or another, names it by this.
        self.trace = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def note(self, attributes: Mapping[str, Attribute]) -> None:
        """Tell what is known of it."""
        self._recorded.set_attributes(dict(attributes))

    def happen(self, name: str, ago_s: float = 0.0) -> None:
        """Tell that something happened in it, so long ago."""
        self._recorded.add_event(name, timestamp=time.time_ns() - int(ago_s * 1e9))

    def end(self, name: str = "", error: str = "") -> None:
        """End it now; a better name may be known only then. `error` says what kind of failure it was."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 an extra

        if name:
            self._recorded.update_name(name)
        if error:
            self._recorded.set_attribute("error.type", error)
            self._recorded.set_status(StatusCode.ERROR)
        self._recorded.end()


class Tracing:
    """What exports spans, from a thread of its own: a collector that is slow or gone delays nobody, and misses some."""

    def __init__(self, tracer: "Tracer", close: Callable[[], None], abandon: Callable[[], None]) -> None:
        self._tracer = tracer
        self._close = close
        self._abandon = abandon

    def begin(self, name: str, role: Role, *, trace: str, state: str = "") -> Span:
        """Begin a span: in the trace that came with the request or the job, else in a new one."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 an extra
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 an extra

        context = TraceContextTextMapPropagator().extract({"traceparent": trace, "tracestate": state})
        kind = SpanKind.SERVER if role == "server" else SpanKind.CONSUMER
        return Span(self._tracer.start_span(name, context=context, kind=kind))

    def close(self) -> None:
        """Send what is left, within `CLOSE_WITHIN_S`: a collector that is gone must not hold up the process's end."""
        closing = threading.Thread(target=self._close, daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN_S)
        if closing.is_alive():
            self._abandon()  # its thread would try again for a while


@asynccontextmanager
async def tracing_to(endpoint: str, *, service: str, tell: Callable[[str], None]) -> AsyncGenerator[Tracing | None]:
    """Export to a collector while the block runs: `endpoint` is its base URL; with none, and no libraries, None.

    `tell` gets a line for the operator when something keeps spans from arriving; perhaps from another thread. Other
    `OTEL_…` variables are the library's to read.
    """
    tracing = _tracing(endpoint, service, tell) if endpoint else None
    try:
        yield tracing
    finally:
        if tracing:
            await asyncio.to_thread(tracing.close)


def _tracing(endpoint: str, service: str, tell: Callable[[str], None]) -> Tracing | None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 an extra
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 an extra
    except ImportError:
        # Not a mistake to stop for: the variable may be set for a whole machine, by somebody who knows nothing of us.
        tell("a collector is named, but what could tell it of spans is missing: pip install 'mlx-pool[tracing]'")
        return None
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its failures are told by `tell`, once
    own = Resource({"service.name": service, "service.version": version("mlx-pool")})
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    telling: Any = _Telling(exporter, tell)
    provider.add_span_processor(BatchSpanProcessor(telling))
    return Tracing(provider.get_tracer("mlx-pool", version("mlx-pool")), provider.shutdown, exporter.shutdown)


class _Telling:
    """An exporter that tells when it begins to fail, and when it works again."""

    def __init__(self, exporter: "SpanExporter", tell: Callable[[str], None]) -> None:
        self._exporter = exporter
        self._tell = tell
        self._fails = False

    def export(self, spans: Sequence[Any]) -> Any:
        """Send spans; called in the exporting thread."""
        result = self._exporter.export(spans)
        fails = result.name != "SUCCESS"
        if fails != self._fails:
            self._fails = fails
            self._tell(
                "the collector does not take spans; they are lost" if fails else "the collector takes spans again"
            )
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is held; nothing is."""
        return self._exporter.force_flush(timeout_millis)
