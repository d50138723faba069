"""The trace context that goes with a job, and what exports spans, or does not."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.tracing import context_in, trace_id_of, tracing_to
from tests.collector import collecting
from tests.conftest import Eventually

ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = f"00-{ID}-00f067aa0ba902b7-01"
LATE = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.proto")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("text", ["", "x", TRACE.upper(), TRACE + "-x", TRACE[:-1], f"{TRACE}\n"])
def test_what_is_no_context_is_none(text: str) -> None:
    """Whoever puts a job on the queue can write anything there: it must not reach a log."""
    assert (context_in(text), trace_id_of(text)) == ("", "")


def test_a_trace_is_known_by_its_id() -> None:
    """The part that all of its spans share."""
    assert (context_in(TRACE), trace_id_of(TRACE)) == (TRACE, ID)


async def test_spans_reach_the_collector_in_the_trace_that_came() -> None:
    """With what happened in them; what has not been sent yet is sent at the end."""
    told: list[str] = []
    with collecting() as collector:
        async with tracing_to(f"{collector.url}/", service="test", tell=told.append) as tracing:
            assert tracing
            parent = tracing.begin("parent", "server", trace=TRACE)
            child = tracing.begin("child", "consumer", trace=parent.trace)
            child.happen("now")
            child.happen("before", ago_s=1.0)
            child.note({"count": 3, "names": ["a", "b"]})
            child.end(error="poisoned")
            parent.end(name="better")

        second, first = sorted(collector.spans, key=lambda span: span.name == "better")
        assert (first.name, first.kind, first.trace_id, first.parent_id) == ("better", 2, ID, TRACE.split("-")[2])
        assert (second.kind, second.trace_id, second.parent_id) == (5, ID, first.span_id)
        assert second.events == ["before", "now"]
        assert second.attributes == {"count": 3, "names": ["a", "b"], "error.type": "poisoned"}
        assert (first.service, second.is_error, first.is_error, told) == ("test", True, False, [])


async def test_a_caller_that_does_not_sample_is_not_sampled() -> None:
    """Its choice goes on with the context, and costs the collector nothing."""
    with collecting() as collector:
        async with tracing_to(collector.url, service="test", tell=print) as tracing:
            assert tracing
            span = tracing.begin("x", "server", trace=f"{TRACE[:-1]}0")
            span.end()

        assert span.trace.endswith("-00")
        assert trace_id_of(span.trace) == ID
        assert collector.spans == []


async def test_a_collector_that_refuses_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """And once more when it takes spans again."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    told: list[str] = []
    with collecting() as collector:
        collector.status = 404
        async with tracing_to(collector.url, service="test", tell=told.append) as tracing:
            assert tracing
            for count in (1, 1, 2):
                tracing.begin("x", "server", trace="").end()
                await eventually(lambda count=count: len(told) == count)  # pyright: ignore[reportUnknownLambdaType] a default has no type
                collector.status = 200 if count == 1 and len(told) == 1 else collector.status

    assert told == ["the collector does not take spans; they are lost", "the collector takes spans again"]


async def test_a_collector_that_is_gone_does_not_hold_up_the_end() -> None:
    """What could not be sent within three seconds is lost, and nobody goes on trying."""
    threads = set(threading.enumerate())
    with collecting() as collector:
        url = collector.url
    began_at_s = time.monotonic()

    async with tracing_to(url, service="test", tell=lambda _: None) as tracing:
        assert tracing
        tracing.begin("x", "server", trace="").end()

    assert time.monotonic() - began_at_s < 5
    for left in {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")} - threads:
        left.join(5)
        assert not left.is_alive(), left


def test_without_the_libraries_the_operator_is_told_and_all_goes_on() -> None:
    """The variable may be set for a whole machine, by somebody who knows nothing of this pool."""
    hide = "import sys, asyncio; sys.modules['opentelemetry.sdk.trace'] = None\n"
    use = "async def main():\n async with tracing_to('http://127.0.0.1:9', service='x', tell=print) as t: print(t)\n"
    source = f"{hide}from shared.tracing import tracing_to\n{use}asyncio.run(main())"

    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT)

    told, tracing = ran.stdout.splitlines()
    assert "mlx-pool[tracing]" in told
    assert tracing == "None"


@pytest.mark.parametrize("part", ["gateway.service", "worker.agent"])
def test_nothing_is_loaded_for_tracing_where_nobody_asked(part: str) -> None:
    """No cost when off: not even the import."""
    source = f"import sys, {part}; print([name for name in sys.modules if name.startswith('opentelemetry')])"

    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=ROOT)

    # The Redis client loads some of it by itself, wherever it is installed.
    assert [name for name in LATE if f"'{name}'" in ran.stdout] == []
