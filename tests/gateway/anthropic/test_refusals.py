"""What is refused, in Anthropic's envelope, whoever refuses it."""

import json
from typing import Any

import anthropic
import httpx
import pytest

from gateway.errors import TABLE
from shared.event import Error
from tests.gateway.conftest import Serving

from .conftest import Asking
from .speech import HELLO

ROUTE = "/v1/messages"
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


async def test_an_unknown_model_is_named(serving: Serving) -> None:
    """A mistyped name is told together with those that are served."""
    async with serving() as served:
        status, kind, message = refusal(await served.http.post(ROUTE, json=HELLO | {"model": "tinny"}))

        assert (status, kind) == (404, "not_found_error")
        assert "'tinny' is not served here; served: tiny" in message
