"""What can't be answered is refused by its name, in the client's own words."""

import asyncio
from typing import Any

import pytest

from shared.event import Error
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal, tokens
from tests.gateway.openai.sdk import STOP, answer, answered, read_to_the_cut

PATH = "/v1/responses"
FUNCTION = {"type": "function", "name": "f"}
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "missing_field", "input"),
    ({"input": []}, "invalid_value", "input"),
    ({"input": [{"type": "reasoning", "summary": []}]}, "invalid_value", "input"),
    ({"input": [{"content": "x"}]}, "missing_field", "input[0].role"),
    ({"input": [{"role": "user"}]}, "missing_field", "input[0].content"),
    ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "unsupported", "input[0].content[0]"),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "missing_field", "input[0].content[0].text"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "unsupported", "input[0]"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "missing_field", "input[0].call_id"),
    ({"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{"}]}, "invalid_value", "input"),
    ({"tools": [{"type": "web_search"}]}, "unsupported", "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "missing_field", "tools[0].name"),
    ({"tools": [FUNCTION, FUNCTION]}, "invalid_value", "tools[1].name"),
    ({"tools": [FUNCTION], "parallel_tool_calls": "no"}, "invalid_value", "parallel_tool_calls"),
    ({"tool_choice": "required"}, "invalid_value", "tool_choice"),
    ({"tool_choice": {"type": "function", "name": "g"}}, "invalid_value", "tool_choice"),
    (
        {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"name": "g"}]}},
        "invalid_value",
        "tool_choice.tools",
    ),
    ({"truncation": "auto"}, "unsupported", "truncation"),
    ({"background": True, "store": False}, "invalid_value", "store"),
    (
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": {"a": "x" * 70_000}}}},
        "invalid_value",
        "text.format.schema",
    ),
    ({"conversation": "conv_1"}, "unsupported", "conversation"),
    ({"temperature": 9}, "invalid_value", "temperature"),
    ({"metadata": {"a": 1}}, "invalid_value", "metadata[...]"),
]


@pytest.mark.parametrize(("wrong", "code", "param"), WRONG, ids=[f"{code}-{param}" for _, code, param in WRONG])
async def test_what_is_wrong_is_refused_by_its_path(
    serving: Serving, wrong: dict[str, Any], code: str, param: str
) -> None:
    """Nothing of it reaches the queue."""
    async with serving() as served:
        body = {"input": "x"} | wrong if wrong else {}

        assert refusal(await served.http.post(PATH, json=body)) == (400, code, param)
        assert (await served.hand.queue.survey()).waiting_total == 0


@pytest.mark.parametrize(
    ("param", "theirs"),
    [
        ("messages", "input"),
        ("response_format.json_schema.schema.not", "text.format.schema.not"),
        ("tools[2].function.parameters.type", "tools[2].parameters.type"),
        ("temperature", "temperature"),
    ],
)
async def test_what_a_worker_refuses_is_told_in_the_clients_words(serving: Serving, param: str, theirs: str) -> None:
    """As an answer's status, in a stream, and in a response that is read later."""
    error = Error(code="unsupported", message="no", param=param)
    async with serving() as served:
        told, _ = await answered(served, served.http.post(PATH, json={"input": "x"}), error)
        stream, _ = await answered(served, served.http.post(PATH, json={"input": "x", "stream": True}), error)
        queued = (await served.http.post(PATH, json={"input": "x", "background": True})).json()
        await answer(served, error)
        later = await served.http.get(f"{PATH}/{queued['id']}")

        assert refusal(told) == (400, "unsupported", theirs)
        assert f'"param":"{theirs}","code":"unsupported"' in stream.text
        assert (later.json()["status"], later.json()["error"]["param"]) == ("failed", theirs)


async def test_a_stream_that_fails_ends_with_the_failed_response(serving: Serving) -> None:
    """By an event of OpenAI's own, so the stream itself ends well."""
    async with serving() as served:
        reading = read_to_the_cut(served, PATH, {"input": "x", "stream": True})
        (body, is_clean), _ = await answered(served, reading, *tokens("a"), Error(code="engine_failed", message="no"))

        assert is_clean
        assert body.split("\n\n")[-2].startswith("event: response.failed\n")
        assert '"code":"engine_failed"' in body


async def test_a_gateway_that_stops_cuts_its_streams(serving: Serving) -> None:
    """With an error whose number is one to go on from: what the job did not end must not look like its end."""
    async with serving() as served:
        reading = asyncio.create_task(read_to_the_cut(served, PATH, {"input": "x", "stream": True, "background": True}))
        job = await served.hand.claim()
        served.drain.begin()
        body, is_clean = await reading
        await served.hand.end(job, STOP)

        assert not is_clean
        assert body.split("\n")[-3].startswith('data: {"type":"error","sequence_number":1,"code":"draining"')


async def test_a_conversation_too_large_to_keep_is_refused(serving: Serving) -> None:
    """Also where it grew by what came before."""
    async with serving() as served:
        body = {"input": "x" * 600_000}
        first, _ = await answered(served, served.http.post(PATH, json=body), *tokens("a"), STOP)

        answer = await served.http.post(PATH, json=body | {"previous_response_id": first.json()["id"]})

        assert refusal(answer) == (413, "body_too_large", "input")
