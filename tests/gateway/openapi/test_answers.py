"""What clients are told, as the document has it: no field more, no field less, of whole answers and of streams."""

from typing import Any

import httpx
import pytest

from shared.event import AnyEvent, Done, Error, Token, TokenLogprob, ToolCall, TopLogprob, Usage
from tests.documents import errors_in
from tests.gateway.conftest import Serving
from tests.gateway.hand import Served
from tests.gateway.openai.sdk import answered

from .conftest import Document

LIKELY = TokenLogprob("안", -0.1, [236, 149, 136], top_logprobs=[TopLogprob("네", -1.5, [235])])
# Everything that a worker can say.
RICH: list[AnyEvent] = [
    Token(reasoning="흠", tokens=[1], logprobs=[LIKELY]),
    Token(content="안", tokens=[2], logprobs=[LIKELY]),
    Token(content="녕", tokens=[3], warning="hm"),
    Token(tool_calls=[ToolCall(0, "call0", "get_weather", '{"city":"서울"}')], tokens=[4]),
]
USAGE = Usage(prompt_tokens=5, completion_tokens=4, cached_tokens=2)
CALLED = Done(reason="tool_calls", usage=USAGE)
CUT = Done(reason="length", usage=USAGE)
FAILED = Error(code="engine_failed", message="x")
REFUSED = Error(code="context_length_exceeded", message="x", param="prompt")

ASK = [{"role": "user", "content": "안녕"}]
LOGPROBS = {"logprobs": True, "top_logprobs": 1}
WORK: dict[str, dict[str, Any]] = {
    "/chat": {"prompt": "x", "logprobs": 1},
    "/v1/chat/completions": {"messages": ASK, "stream_options": {"include_usage": True}, **LOGPROBS},
    "/v1/completions": {"prompt": "x", "echo": True, "colour": 1},
    "/v1/responses": {"input": "x", "include": ["message.output_text.logprobs"], "metadata": {"a": "b"}},
    "/v1/messages": {"messages": ASK, "model": "tiny", "max_tokens": 9},
}
ENDINGS = {"called": [*RICH, CALLED], "cut": [*RICH, CUT], "failed": [*RICH, FAILED], "refused": [REFUSED]}


async def read(served: Served, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """An answer, as far as it came: the stream of one that fails is cut off."""
    told = b""
    async with served.http.stream("POST", path, json=body, headers=headers) as answer:
        try:
            async for piece in answer.aiter_raw():
                told += piece
        except httpx.RemoteProtocolError:
            pass
        return httpx.Response(answer.status_code, headers=answer.headers, content=told, request=answer.request)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("path", WORK)
async def test_an_answer_is_as_it_is_told(
    serving: Serving, document: Document, path: str, ending: str, *, stream: bool
) -> None:
    """Every kind of end of every call that generates, with all that a worker can say before it."""
    async with serving() as served:
        asking = read(served, path, WORK[path] | {"stream": stream})
        answer, _ = await answered(served, asking, *ENDINGS[ending])

        assert document.errors_in(answer, path) == []
        assert answer.status_code == ({} if stream else {"refused": 400, "failed": 500}).get(ending, 200)


@pytest.mark.parametrize("accept", ["text/event-stream", "text/plain"])
async def test_a_chat_is_told_in_every_format(serving: Serving, document: Document, accept: str) -> None:
    """And so is a job that is followed again, or cancelled."""
    async with serving() as served:
        asking = read(served, "/chat", WORK["/chat"], accept=accept)
        answer, _ = await answered(served, asking, *ENDINGS["called"])
        one = f"/chat/{answer.headers['x-job-id']}"

        assert document.errors_in(answer, "/chat") == []
        again = [await served.http.get(one, params=asked) for asked in ({}, {"stream": "false"}, {"after": 6})]
        assert [each.status_code for each in again] == [200, 200, 204]
        for each in (*again, await served.http.delete(one), await served.http.get("/chat/none")):
            assert document.errors_in(each, "/chat/{id}") == []


async def test_a_job_in_the_background_is_told(serving: Serving, document: Document) -> None:
    """As accepted."""
    async with serving() as served:
        answer = await served.http.post("/chat", json={"prompt": "x", "background": True, "stream": False})

        assert answer.status_code == 202
        assert document.errors_in(answer, "/chat") == []


async def test_a_stored_response_is_told(serving: Serving, document: Document) -> None:
    """In the background, at its end, as a stream, its input, its cancel and its deletion."""
    async with serving() as served:
        body = WORK["/v1/responses"] | {"background": True}
        queued = await served.http.post("/v1/responses", json=body)
        one, job = f"/v1/responses/{queued.json()['id']}", await served.hand.claim()
        await served.hand.end(job, served.hand.started(job), *ENDINGS["called"])

        assert document.errors_in(queued, "/v1/responses") == []
        get, path = served.http.get, "/v1/responses/{id}"
        for each in (await get(one), await get(one, params={"stream": "true"}), await get("/v1/responses/resp_x")):
            assert document.errors_in(each, path) == []
        assert document.errors_in(await get(f"{one}/input_items"), f"{path}/input_items") == []
        assert document.errors_in(await served.http.post(f"{one}/cancel"), f"{path}/cancel") == []
        assert document.errors_in(await served.http.delete(one), path) == []


async def test_files_and_batches_are_told(serving: Serving, document: Document) -> None:
    """As they are made, listed, looked at, cancelled and let go."""
    async with serving() as served:
        post, get, checks = served.http.post, served.http.get, list[tuple[httpx.Response, str]]()
        form = {"file": ("in.jsonl", b'{"custom_id":"1"}\n')}
        file = await post("/v1/files", files=form, data={"purpose": "batch"})
        asked = {"input_file_id": file.json()["id"], "endpoint": "/v1/chat/completions", "metadata": {"a": "b"}}
        batch = await post("/v1/batches", json=asked)
        checks += [(file, "/v1/files"), (batch, "/v1/batches")]
        one, batch_one = f"/v1/files/{file.json()['id']}", f"/v1/batches/{batch.json()['id']}"
        checks += [(await get("/v1/files"), "/v1/files"), (await get("/v1/batches"), "/v1/batches")]
        checks += [(await get(one), "/v1/files/{id}"), (await get(f"{one}/content"), "/v1/files/{id}/content")]
        checks += [(await get(batch_one), "/v1/batches/{id}"), (await get("/v1/batches/x"), "/v1/batches/{id}")]
        checks += [(await post(f"{batch_one}/cancel"), "/v1/batches/{id}/cancel")]
        checks += [(await served.http.delete(one), "/v1/files/{id}"), (await get(one), "/v1/files/{id}")]

        assert [document.errors_in(answer, path) for answer, path in checks] == [[]] * len(checks)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        *(
            ("/", "*/*"),
            ("/", "text/html"),
            ("/pool/dead", "*/*"),
            ("/pool", "*/*"),
            ("/health", "*/*"),
            ("/health/live", "*/*"),
            ("/v1/models", "*/*"),
        ),
        *(("/metrics", "text/plain"), ("/metrics", "application/json"), ("/metrics?scope=pool", "*/*")),
    ],
)
async def test_what_can_be_read_is_as_it_is_told(serving: Serving, document: Document, path: str, accept: str) -> None:
    """Figures, health and models."""
    async with serving() as served:
        answer = await served.http.get(path, headers={"accept": accept})

        assert answer.status_code == 200
        assert document.errors_in(answer, path.partition("?")[0]) == []


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-06-01"}], ids=["openai", "anthropic"])
async def test_models_are_told_in_both_apis(serving: Serving, document: Document, headers: dict[str, str]) -> None:
    """One route, two kinds of answers; refusals too."""
    async with serving() as served:
        answers = {path: await served.http.get(path, headers=headers) for path in ("/v1/models", "/v1/models/tiny")}
        unknown = await served.http.get("/v1/models/none", headers=headers)

        assert unknown.status_code == 404
        assert document.errors_in(unknown, "/v1/models/{id}") == []
        for path, answer in answers.items():
            assert document.errors_in(answer, path.replace("tiny", "{id}")) == []


async def test_tokens_are_counted_as_it_is_told(serving: Serving, document: Document) -> None:
    """Anthropic's count."""
    async with serving() as served:
        asking = served.http.post("/v1/messages/count_tokens", json=WORK["/v1/messages"])
        answer, _ = await answered(served, asking, CUT)

        assert answer.status_code == 200
        assert document.errors_in(answer, "/v1/messages/count_tokens") == []


async def test_a_job_that_waits_is_told(serving: Serving, document: Document) -> None:
    """News of the queue is an event as the others."""
    [told] = [answer for method, path, answer in document.operations() if (method, path) == ("POST", "/chat")]
    schema = told["responses"]["200"]["content"]["application/x-ndjson"]["schema"]
    async with serving() as served, served.follow({"prompt": "x"}, path="/chat?queued=true") as following:
        await following.until(1)
        await served.hand.generate("a")
        events = await following.end()

        assert events[0]["status"] == "queued"
        assert [errors_in(event, schema, document.components) for event in events] == [[]] * len(events)
