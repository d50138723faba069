"""What is counted of a stream, and under which names it is told."""

import asyncio
import time

import pytest

from gateway.course import Course
from gateway.delivery import Delivery, Text
from gateway.metrics.distribution import Distribution
from gateway.metrics.figures import OTEL_TOKENS, TOKENS, Figures, Kind, Ledger
from shared.errors import Fault
from shared.event import Cancelled, Done, Error, Queued, Started, Timings, Usage

from .conftest import Eventually, Serving
from .hand import DONE, MODEL, tokens
from .metrics_text import samples_of, value_of

PROMPT = {"prompt": "x"}
OF_MODEL = {"model_name": MODEL}
CHAT = Kind("m", "chat")
STARTED = Started(worker="w", attempt=1, seed=1, prompt_tokens=3, prompt_hash="x")


def test_a_distribution_counts_up_to_and_with_its_bounds() -> None:
    """As Prometheus has it; a coarser view of it is as true."""
    counted = Distribution((1.0, 2.0, 4.0))
    for value in (0.5, 1.0, 1.5, 4.0, 9.0):
        counted.add(value)

    assert counted.buckets((1.0, 2.0, 4.0)) == [("1.0", 2), ("2.0", 3), ("4.0", 4), ("+Inf", 5)]
    assert counted.buckets((2.0,)) == [("2.0", 3), ("+Inf", 5)]
    assert (counted.count, counted.sum) == (5, 16.0)


def test_both_conventions_bounds_are_counted_in() -> None:
    """One count serves two names, since all bounds of either are among its own."""
    figures = Figures()

    assert {*TOKENS, *OTEL_TOKENS} <= {*figures.prompt_tokens.bounds}


def given(course: Course, *events: object, ids: int = 0) -> None:
    """Let a client be given these events, with so many ids up to there."""
    course.note([Delivery(1, ids, 0, event) for event in events])  # pyright: ignore[reportArgumentType] the tests' own


def test_the_first_token_is_counted_when_it_comes_and_the_rest_at_the_end() -> None:
    """From the request's receipt; what comes before any token is none."""
    figures = Figures()
    course = Course("j", CHAT, figures, time.monotonic() - 2.0)
    given(course, Queued(waiting=1))
    given(course, STARTED)
    assert figures.first_token_s.count == 0

    given(course, Text("token"), ids=2)
    given(course, Text("token"), ids=5)
    assert (figures.first_token_s.count, figures.gap_s.count, figures.tokens_seen) == (1, 0, 5)
    assert 2.0 <= figures.first_token_s.sum < 2.5

    given(course, Done(reason="length", usage=Usage(7, 5, 3), timings=Timings(250.0, 500.0, 750.0)), ids=5)
    assert (figures.gap_s.count, figures.per_token_s.count, figures.ends) == (1, 1, {"length": 1})
    assert (figures.prompt_tokens.sum, figures.answer_tokens.sum, figures.cached_tokens) == (7, 5, 3)
    assert (figures.queued_s.sum, figures.prefill_s.sum, figures.decode_s.sum) == (0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    ("end", "reason", "error"),
    [
        (DONE, "stop", ""),
        (Done(reason="tool_calls", usage=Usage(1, 1)), "stop", ""),
        (Cancelled(), "abort", "cancelled"),
        (Error(code="engine_failed", message="m"), "error", "engine_failed"),
    ],
)
def test_every_end_is_one_of_the_four_that_dashboards_know(end: object, reason: str, error: str) -> None:
    """A job ends once, whatever its client does then."""
    figures = Figures()
    course = Course("j", CHAT, figures, 0.0)

    given(course, end)
    course.leave(None)

    assert figures.ends == {reason: 1}
    assert {name: counted.count for name, counted in figures.duration_s.items()} == {error: 1}


def test_who_leaves_early_aborts_and_what_fails_here_is_an_error() -> None:
    """A stream without an end of its own is counted all the same."""
    figures = Figures()

    Course("a", CHAT, figures, 0.0).leave(None)
    Course("b", CHAT, figures, 0.0).leave(Fault("stream_lost", "m"))

    assert figures.ends == {"abort": 1, "error": 1}
    assert set(figures.duration_s) == {"cancelled", "stream_lost"}


def test_a_model_is_one_whatever_was_asked_of_it() -> None:
    """There is no label for it among vLLM's."""
    ledger = Ledger()
    ledger.of(Kind("m", "chat")).tokens_seen += 2
    ledger.of(Kind("m", "text_completion")).tokens_seen += 3

    assert {model: figures.tokens_seen for model, figures in ledger.by_model().items()} == {"m": 5}


async def test_vllms_dashboards_find_their_names(serving: Serving) -> None:
    """Of every job that was submitted here and followed to its end, with the engine's own token counts."""
    async with serving() as served:
        await served.run(PROMPT, "a", "b")
        await served.run(PROMPT | {"stream": False}, "a", "b")

        text = (await served.http.get("/metrics")).text

        assert value_of(text, "vllm:request_success_total", OF_MODEL | {"finished_reason": "stop"}) == 2
        assert value_of(text, "vllm:request_success_total", OF_MODEL | {"finished_reason": "abort"}) == 0
        assert value_of(text, "vllm:prompt_tokens_total", OF_MODEL) == 6
        assert value_of(text, "vllm:generation_tokens_total", OF_MODEL) == 4
        for name in ("time_to_first_token", "e2e_request_latency", "request_queue_time", "request_decode_time"):
            assert value_of(text, f"vllm:{name}_seconds_count", OF_MODEL) == 2, name
        assert value_of(text, "vllm:e2e_request_latency_seconds_bucket", OF_MODEL | {"le": "7680.0"}) == 2


async def test_opentelemetrys_names_are_those_of_its_conventions(serving: Serving) -> None:
    """What was asked, of which model, and what failed how."""
    async with serving() as served:
        await served.run(PROMPT, "a", "b")
        refused = asyncio.create_task(served.http.post("/chat", json=PROMPT | {"kind": "text"}))
        job = await served.hand.claim()
        await served.hand.end(job, Error(code="context_length_exceeded", message="too long", param="prompt"))
        assert (await refused).status_code == 400

        text = (await served.http.get("/metrics")).text

        chat = dict.fromkeys(("gen_ai_request_model", "gen_ai_response_model"), MODEL)
        chat |= {"gen_ai_provider_name": "mlx_pool", "gen_ai_operation_name": "chat"}
        assert value_of(text, "gen_ai_server_time_to_first_token_seconds_count", chat) == 1
        assert value_of(text, "gen_ai_server_request_duration_seconds_count", chat | {"error_type": ""}) == 1
        assert value_of(text, "gen_ai_client_token_usage_sum", chat | {"gen_ai_token_type": "input"}) == 3
        failed = chat | {"gen_ai_operation_name": "text_completion", "error_type": "context_length_exceeded"}
        assert value_of(text, "gen_ai_server_request_duration_seconds_count", failed) == 1


async def test_a_job_is_counted_for_the_one_that_submitted_it(serving: Serving) -> None:
    """Whoever attaches, or reads it again later, makes no second job; to count tokens is no generation."""
    async with serving() as served:
        answer = await served.run(PROMPT | {"id": "mine"}, "a", "b")
        await served.http.post("/chat", json=PROMPT | {"id": "mine"})
        await served.http.get(f"/chat/{answer.headers['x-job-id']}")
        await served.run(PROMPT | {"kind": "count"})

        text = (await served.http.get("/metrics")).text

        assert value_of(text, "vllm:e2e_request_latency_seconds_count", OF_MODEL) == 1
        assert value_of(text, "vllm:generation_tokens_total", OF_MODEL) == 2


async def test_a_client_that_leaves_in_mid_stream_is_counted_as_an_abort(
    serving: Serving, eventually: Eventually
) -> None:
    """Its tokens count as far as it was given them."""
    async with serving() as served:
        async with served.follow(PROMPT) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a", "b"))
            await client.until(3)

        async def is_counted() -> bool:
            text = (await served.http.get("/metrics")).text
            return value_of(text, "vllm:request_success_total", OF_MODEL | {"finished_reason": "abort"}) == 1

        await eventually(is_counted)
        assert value_of((await served.http.get("/metrics")).text, "vllm:generation_tokens_total", OF_MODEL) == 2


async def test_what_runs_and_waits_is_told_of_the_pool(serving: Serving, eventually: Eventually) -> None:
    """By one gateway only: a sum over gateways would count it several times."""
    async with serving() as served:
        for _ in range(3):
            await served.http.post("/chat", json=PROMPT | {"background": True, "stream": False})
        await served.hand.claim()

        async def is_told() -> bool:
            text = (await served.http.get("/metrics", params={"scope": "pool"})).text
            names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
            return [value_of(text, name, OF_MODEL) for name in names] == [1, 2]

        await eventually(is_told)


async def test_no_client_makes_labels(serving: Serving) -> None:
    """A wildcard alias takes any name, a path may be anything: neither becomes a time series."""
    async with serving(model_alias=f"*={MODEL}") as served:
        for number in range(3):
            await served.run(PROMPT | {"model": f"made-up-{number}"}, "a")
            await served.http.get(f"/made/up/{number}")

        text = (await served.http.get("/metrics")).text

        assert "made" not in text
        assert {dict(labels).get("model_name") for _, labels in samples_of(text)} == {None, MODEL}
