"""What goes wrong, as OpenAI's own client raises it; and what it does about it."""

import asyncio
import json
import time

import pytest
from openai import (
    APIError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
    UnprocessableEntityError,
)

from shared.event import AnyEvent, Cancelled, Error
from shared.limits import write_limits
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, Served, tokens

from .sdk import ASK, CHAT, STOP, TEXT, answer, answered, openai_on, read_to_the_cut


async def test_a_wrong_field_is_a_bad_request_that_names_it(serving: Serving) -> None:
    """`param` is the path in the client's own request."""
    async with serving() as served, openai_on(served, max_retries=2) as client:
        with pytest.raises(BadRequestError) as raised:
            await client.chat.completions.create(model="tiny", messages=ASK, top_p=2)

        assert (raised.value.param, raised.value.code, raised.value.type) == (
            "top_p",
            "invalid_value",
            "invalid_request_error",
        )


async def test_what_a_worker_refuses_is_a_bad_request_too(serving: Serving) -> None:
    """Also the field of a job that has another name here."""
    error = Error(code="context_length_exceeded", message="too long", param="tokens")
    async with serving() as served, openai_on(served) as client:
        with pytest.raises(BadRequestError) as raised:
            await asyncio.gather(client.completions.create(model="tiny", prompt=[1, 2]), answer(served, error))

        assert (raised.value.param, raised.value.code) == ("prompt", "context_length_exceeded")


async def test_an_unknown_model_is_not_found(serving: Serving) -> None:
    """The message names those that are served."""
    async with serving() as served, openai_on(served) as client:
        with pytest.raises(NotFoundError, match=MODEL) as raised:
            await client.chat.completions.create(model="gpt-x", messages=ASK)

        assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


async def test_without_the_key_nobody_is_let_in(serving: Serving) -> None:
    """The client's API key is the pool's."""
    async with serving(key="s3cret") as served:
        async with openai_on(served, api_key="wrong") as client:
            with pytest.raises(AuthenticationError):
                await client.models.list()
        async with openai_on(served, api_key="s3cret") as client:
            assert [model.id async for model in client.models.list()] == [MODEL]


async def fill(served: Served) -> None:
    """Let one job wait where there is room for one."""
    await write_limits(served.hand.broker, MODEL, {"waiting": 1})
    await served.http.post("/chat", json={"prompt": "x", "background": True, "stream": False})


async def test_a_full_queue_is_a_rate_limit(serving: Serving) -> None:
    """With the time to come back, in both of the headers that clients read."""
    async with serving() as served, openai_on(served) as client:
        await fill(served)

        with pytest.raises(RateLimitError) as raised:
            await client.chat.completions.create(model="tiny", messages=ASK)

        assert raised.value.code == "queue_full"
        assert int(raised.value.response.headers["retry-after-ms"]) >= 1_000
        assert int(raised.value.response.headers["retry-after"]) >= 1


async def test_who_was_refused_comes_back_when_told(serving: Serving, eventually: Eventually) -> None:
    """The client obeys by itself, and then there is room."""
    async with serving() as served, openai_on(served, max_retries=1) as client:
        await fill(served)
        began_at = time.monotonic()
        asking = asyncio.create_task(client.chat.completions.create(model="tiny", messages=ASK))

        async def is_refused() -> bool:
            return 'status="429"' in (await served.http.get("/metrics")).text

        await eventually(is_refused)
        await served.hand.generate("the one that waited")
        await answer(served, *tokens("a"), STOP)

        assert (await asking).choices[0].message.content == "a"
        assert time.monotonic() - began_at >= 1


async def test_a_failed_job_is_not_run_again_by_its_client(serving: Serving) -> None:
    """Work that was begun is not repeated: `x-should-retry` is false."""
    async with serving() as served, openai_on(served, max_retries=2) as client:
        with pytest.raises(InternalServerError) as raised:
            await asyncio.gather(
                client.chat.completions.create(model="tiny", messages=ASK),
                answer(served, Error(code="engine_failed", message="no")),
            )

        assert raised.value.response.headers["x-should-retry"] == "false"
        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_no_worker_is_an_outage_to_come_back_after(serving: Serving) -> None:
    """503 with the time to wait."""
    async with serving(has_worker=False) as served, openai_on(served) as client:
        with pytest.raises(InternalServerError) as raised:
            await client.chat.completions.create(model="tiny", messages=ASK)

        assert (raised.value.status_code, raised.value.code) == (503, "no_worker")
        assert int(raised.value.response.headers["retry-after"]) >= 1


async def test_a_key_for_two_requests_is_a_mistake(serving: Serving) -> None:
    """The second body under one Idempotency-Key is a 422."""
    async with serving() as served, openai_on(served) as client:
        ask, key = client.chat.completions.create, {"Idempotency-Key": "mine"}
        await answered(served, ask(model="tiny", messages=ASK, extra_headers=key), STOP)

        with pytest.raises(UnprocessableEntityError) as raised:
            await ask(model="tiny", messages=ASK, extra_headers=key, temperature=0.5)

        assert raised.value.code == "idempotency_mismatch"


@pytest.mark.parametrize(
    ("end", "code"),
    [(Error(code="engine_failed", message="no"), "engine_failed"), (Cancelled(), "job_cancelled")],
    ids=["failed", "cancelled"],
)
async def test_a_stream_that_fails_raises(serving: Serving, end: AnyEvent, code: str) -> None:
    """What came before is there; then the client raises what the error event says."""
    async with serving() as served, openai_on(served) as client:
        asking = client.chat.completions.create(model="tiny", messages=ASK, stream=True)
        stream, _ = await answered(served, asking, *tokens("a"), end)
        texts: list[str | None] = []

        async def read() -> None:
            async for chunk in stream:
                texts.append(chunk.choices[0].delta.content)  # noqa: PERF401 it ends by raising

        with pytest.raises(APIError) as raised:
            await read()

        assert texts == ["", "a"]
        assert raised.value.code == code


@pytest.mark.parametrize(("path", "ask"), [(CHAT, {"messages": ASK}), (TEXT, {"prompt": "x"})], ids=["chat", "text"])
async def test_a_failed_stream_is_cut(serving: Serving, path: str, ask: dict[str, object]) -> None:
    """An error event, no `[DONE]`, and no end of the chunked body: nothing takes it for success."""
    async with serving() as served:
        reading = read_to_the_cut(served, path, ask | {"stream": True})
        (body, is_clean), _ = await answered(
            served, reading, *tokens("a"), Error(code="engine_failed", message="no\u2028\u0085")
        )

        assert not is_clean
        assert "[DONE]" not in body
        error = {"message": "no\u2028\u0085", "type": "server_error", "param": None, "code": "engine_failed"}
        assert json.loads(body.split("data: ")[-1]) == {"error": error}
        assert len(body.splitlines()) == body.count("\n")


async def test_a_cancelled_answer_is_gone(serving: Serving) -> None:
    """Half an answer is not given as a whole one, and nobody runs it again unasked."""
    async with serving() as served, openai_on(served, max_retries=2) as client:
        with pytest.raises(APIStatusError) as raised:
            await asyncio.gather(
                client.chat.completions.create(model="tiny", messages=ASK), answer(served, *tokens("a"), Cancelled())
            )

        assert (raised.value.status_code, raised.value.code) == (410, "job_cancelled")
