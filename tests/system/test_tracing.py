"""One request, one trace: from the client's span through the gateway to every attempt at its job."""

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

from shared.job import Ask, seed_of
from tests.collector import Seen, collecting
from worker.engine.scripted.oracle import expected

StartPool = Callable[..., Any]
ID, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"traceparent": f"00-{ID}-{CALLER}-01"}
PROMPT = "canary-in-a-prompt"
SERVER, CONSUMER = 2, 5


def of_kind(spans: list[Seen], kind: int) -> list[Seen]:
    """The spans of one kind."""
    return [span for span in spans if span.kind == kind]


async def test_a_job_goes_on_in_its_requests_trace(start_pool: StartPool) -> None:
    """The gateway's span is the caller's child, the worker's is the gateway's; they tell counts, and never a text."""
    with collecting() as collector:
        async with start_pool(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, step_ms=1) as pool:
            answer = await pool.http.post("/chat", json={"prompt": PROMPT, "max_tokens": 20}, headers=TRACED)
        [request] = of_kind(collector.spans, SERVER)
        [attempt] = of_kind(collector.spans, CONSUMER)

    job, usage = answer.headers["x-job-id"], json.loads(answer.text.splitlines()[-1])["usage"]
    assert (request.service, request.name) == ("mlx-pool-gateway", "POST /chat")
    assert (request.trace_id, request.parent_id, request.events) == (ID, CALLER, ["first_token"])
    assert request.attributes["http.response.status_code"] == 200
    assert (attempt.service, attempt.trace_id, attempt.parent_id) == ("mlx-pool-worker", ID, request.span_id)
    assert attempt.events == ["claimed", "first_token", "done"]
    for span, ids in ((request, [job]), (attempt, job)):
        assert span.attributes["mlx_pool.job.id"] == ids
        assert span.attributes["gen_ai.request.model"] == "scripted"
        assert span.attributes["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
        assert span.attributes["gen_ai.usage.output_tokens"] == 20
        assert span.attributes["gen_ai.response.finish_reasons"] == ["length"]
    sent = b"".join(collector.bodies)
    assert PROMPT.encode() not in sent
    assert expected(Ask(prompt=PROMPT, max_tokens=20), seed_of(job)).text[:12].encode() not in sent


async def test_every_attempt_has_its_span(start_pool: StartPool) -> None:
    """A job that is handed over in mid-stream is seen to be, and goes on in the same trace."""
    with collecting() as collector:
        async with start_pool(workers=2, env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, step_ms=10) as pool:
            body = {"prompt": PROMPT, "max_tokens": 150}
            async with pool.http.stream("POST", "/chat", json=body, headers=TRACED) as answer:
                lines = answer.aiter_lines()
                worker = json.loads(await anext(lines))["worker"]
                await anext(lines)
                number = int(worker.partition(".")[0].removeprefix("mac-"))
                pool.workers[number - 1].send_signal(signal.SIGTERM)
                await asyncio.wait_for(_end(lines), 20)
        attempts = sorted(of_kind(collector.spans, CONSUMER), key=lambda span: span.attributes["mlx_pool.attempt"])

    assert [span.events[-1] for span in attempts] == ["handed_over", "done"]
    assert {span.trace_id for span in attempts} == {ID}
    first, second = (span.attributes for span in attempts)
    assert second["mlx_pool.resumed_tokens"] == first["gen_ai.usage.output_tokens"] > 0
    assert first["mlx_pool.worker"] != second["mlx_pool.worker"]


async def _end(lines: Any) -> None:
    async for _ in lines:
        pass
