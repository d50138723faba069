"""What is refused, in Anthropic's envelope, whoever refuses it."""

import asyncio
import json
from typing import Any

import anthropic
import httpx
import pytest

from gateway.errors import TABLE
from shared.event import Error
from shared.job import MAX_BODY_BYTES
from shared.limits import write_limits
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL

from .conftest import Asking
from .speech import HELLO

ROUTE = "/v1/messages"
COUNT = f"{ROUTE}/count_tokens"
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
DEEP: dict[str, Any] = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [IMAGE]}]}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
TOOL = {"name": "look", "input_schema": {"type": "object"}}


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, type and message of an answer that must be the envelope."""
    body = json.loads(answer.content)
    assert set(body) == {"type", "error", "request_id"}
    assert (body["type"], set(body["error"])) == ("error", {"type", "message"})
    assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["error"]["type"], body["error"]["message"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": None}, "`max_tokens` is missing"),
    ({"max_tokens": 0}, "`max_tokens`: Expected `int` >= 1"),
    ({"model": None}, "`model` is missing"),
    ({"messages": []}, "`messages`: "),
    ({"messages": [{"role": "tool", "content": "x"}]}, "`messages[0].role`: "),
    ({"messages": [{"role": "user"}]}, "`messages[0].content` is missing"),
    ({"messages": [{"role": "user", "content": ["x"]}]}, "`messages[0].content[0]`: "),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, "`messages[0].content[0]` of type 'image'"),
    ({"messages": [DEEP]}, "`messages[0].content[0].content[0]` of type 'image'"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "`messages[0]`: the answer can't be begun"),
    ({"messages": [{"role": "assistant", "content": DEEP["content"]}]}, "`messages[0].content[0].content[0]`"),
    ({"system": [IMAGE]}, "`system[0]` of type 'image'"),
    ({"tools": [SEARCH]}, "`tools[0].type`: tools of type 'web_search_20250305'"),
    ({"tools": [TOOL, {"name": "x"}]}, "`tools[1].input_schema` is missing"),
    ({"tools": [{"input_schema": {}}]}, "`tools[0].name` is missing"),
    ({"tools": [TOOL, TOOL]}, "Two tools are named look"),
    ({"tool_choice": {"type": "any"}}, "needs `tools`"),
    ({"tool_choice": {"type": "maybe"}}, "`tool_choice` of type 'maybe'"),
    ({"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "called once"),
    ({"thinking": {"type": "between_tools"}}, "`thinking` of type 'between_tools'"),
    ({"mcp_servers": [{"url": "x"}]}, "`mcp_servers` is not supported"),
    ({"stop_sequences": [""]}, "`stop_sequences[0]`: "),
    ({"temperature": 9}, "`temperature`: "),
    ({"output_format": {"type": "json_schema"}}, "`output_format.schema` is missing"),
]


async def test_a_bad_request_is_told_which_field_is_wrong(serving: Serving) -> None:
    """Whoever sends what can't be run reads the field's path in the message, and no worker hears of it."""
    async with serving() as served:
        for change, said in BAD:
            status, kind, message = refusal(await served.http.post(ROUTE, json=HELLO | change))
            assert (status, kind) == (400, "invalid_request_error")
            assert said in message, message

        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_every_wrong_turn_below_the_route_gets_the_envelope(serving: Serving) -> None:
    """Routes, methods, bodies and content types that do not exist are errors like all others."""
    large = b'{"model":"%b"}' % (b"x" * MAX_BODY_BYTES)
    json_type, text_type = {"content-type": "application/json"}, {"content-type": "text/plain"}
    async with serving() as served:
        http = served.http

        assert refusal(await http.post(f"{ROUTE}/batches", json={}))[:2] == (404, "not_found_error")
        assert refusal(await http.get(ROUTE))[:2] == (405, "invalid_request_error")
        assert refusal(await http.post(ROUTE, content=b"{", headers=json_type))[:2] == (400, "invalid_request_error")
        assert refusal(await http.post(COUNT, content=b"[]", headers=json_type))[:2] == (400, "invalid_request_error")
        assert refusal(await http.post(ROUTE, content=large, headers=json_type))[:2] == (413, "request_too_large")
        assert refusal(await http.post(ROUTE, content=b"{}", headers=text_type))[:2] == (415, "invalid_request_error")


async def test_without_a_key_the_door_answers_in_the_envelope(serving: Serving) -> None:
    """Also who gets no farther than the door reads an error of the API that was asked."""
    async with serving(key="s3cret") as served:
        for route in (ROUTE, COUNT, f"{ROUTE}/x"):
            assert refusal(await served.http.post(route, json=HELLO))[:2] == (401, "authentication_error")


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("code", ["context_length_exceeded", "does_not_fit", "engine_failed", "deadline_exceeded"])
async def test_what_a_worker_finds_at_once_is_a_status(serving: Serving, code: str, is_stream: bool) -> None:
    """Headers wait for the first event, so an error found before any text is no 200."""
    async with serving() as served:
        posting = asyncio.create_task(served.http.post(ROUTE, json=HELLO | {"stream": is_stream}))
        job = await served.hand.claim()
        await served.hand.end(job, Error(code=code, message="no", param="messages"))

        row = TABLE[code]
        assert refusal(await posting)[:2] == (row.status, row.anthropic_type)


CLASSES = [
    ("invalid_value", anthropic.BadRequestError),
    ("model_not_found", anthropic.NotFoundError),
    ("idempotency_mismatch", anthropic.UnprocessableEntityError),
    ("engine_failed", anthropic.InternalServerError),
    ("deadline_exceeded", anthropic.APIStatusError),
]


@pytest.mark.parametrize(("code", "error"), CLASSES)
async def test_the_sdk_raises_what_it_should(asking: Asking, code: str, error: type[anthropic.APIStatusError]) -> None:
    """Programs catch errors by their class."""
    async with asking() as asked:
        creating = asked.asking(HELLO)
        job = await asked.served.hand.claim()
        await asked.served.hand.end(job, Error(code=code, message="no"))
        with pytest.raises(error) as raised:
            await creating

    assert (raised.value.status_code, raised.value.type) == (TABLE[code].status, TABLE[code].anthropic_type)


async def test_what_passes_invites_to_come_again(serving: Serving) -> None:
    """A full queue, and a pool without workers, say when."""
    async with serving(has_worker=False) as served:
        nobody = await served.http.post(ROUTE, json=HELLO)
        assert refusal(nobody)[:2] == (503, "overloaded_error")
        assert int(nobody.headers["retry-after"]) > 0
    async with serving() as served:
        await write_limits(served.hand.broker, MODEL, {"waiting": 1})
        await served.http.post("/chat", json={"prompt": "x", "background": True, "stream": False})
        full = await served.http.post(ROUTE, json=HELLO)
        assert refusal(full)[:2] == (429, "rate_limit_error")
        assert int(full.headers["retry-after-ms"]) > 0


async def test_an_unknown_model_is_named(serving: Serving) -> None:
    """A mistyped name is told together with those that are served."""
    async with serving() as served:
        status, kind, message = refusal(await served.http.post(ROUTE, json=HELLO | {"model": "tinny"}))

        assert (status, kind) == (404, "not_found_error")
        assert "'tinny' is not served here; served: tiny" in message
