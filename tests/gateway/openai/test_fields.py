"""What becomes of each field: tables, structs and page say the same, and so does the gateway."""

from pathlib import Path

import msgspec
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsStreaming as TextParams

from gateway.openai.chat_request import ChatRequest
from gateway.openai.fields import CHAT, TEXT, Fields, table
from gateway.openai.text_request import TextRequest
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal

from .sdk import ASK, STOP, answered
from .sdk import CHAT as CHAT_PATH

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"
BOTH = pytest.mark.parametrize(
    ("fields", "request_type", "params"),
    [(CHAT, ChatRequest, ChatParams), (TEXT, TextRequest, TextParams)],
    ids=["chat", "text"],
)


@BOTH
def test_a_field_is_supported_where_a_struct_has_it(
    fields: Fields, request_type: type[msgspec.Struct], params: type
) -> None:
    """The tables can't promise what the code does not read."""
    supported = {name for name, field in fields.items() if field.fate == "supported"}

    assert supported == set(request_type.__struct_fields__)


@BOTH
def test_every_field_of_the_client_stands_in_the_table(
    fields: Fields, request_type: type[msgspec.Struct], params: type
) -> None:
    """What OpenAI's client can send has a fate that was thought about."""
    assert set(params.__annotations__) - set(fields) == set()


@BOTH
def test_the_page_is_drawn_from_the_table(fields: Fields, request_type: type[msgspec.Struct], params: type) -> None:
    """Whoever changes one changes the other; what is to stand on the page is in this test's failure."""
    assert table(fields) in PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", [name for name, field in CHAT.items() if field.fate == "refused"])
async def test_what_would_change_the_answer_is_refused_by_name(serving: Serving, name: str) -> None:
    """And null is as good as absent."""
    async with serving() as served:
        body: dict[str, object] = {"messages": ASK, "model": "tiny"}
        answer = await served.http.post(CHAT_PATH, json=body | {name: "x"})
        told, _ = await answered(served, served.http.post(CHAT_PATH, json=body | {name: None}), STOP)

        assert refusal(answer) == (400, "unsupported", name)
        assert told.status_code == 200
        assert "x-mlx-pool-ignored" not in told.headers


async def test_what_has_no_effect_is_told_in_a_header(serving: Serving) -> None:
    """Hints and unknown names, nested ones too; whatever they hold, and never more than names."""
    hints = {name: "x" for name, field in CHAT.items() if field.fate == "hint"}
    part: dict[str, object] = {"type": "text", "text": "x", "cache_control": {}}
    message = {"role": "user", "content": [part], "id": 5}
    stream_options = {"include_usage": True, "include_obfuscation": False}
    body: dict[str, object] = {
        **hints,
        "messages": [message, message],
        "stream_options": stream_options,
        "colour": 1,
        "ev\ril": 1,
    }
    async with serving() as served:
        answer, _ = await answered(served, served.http.post(CHAT_PATH, json=body), STOP)

        nested = {"messages[].content[].cache_control", "messages[].id", "stream_options.include_obfuscation"}
        ignored = answer.headers["x-mlx-pool-ignored"].split(", ")
        assert set(ignored) == {*hints, "colour", *nested}
        assert len(set(ignored)) == len(ignored)


async def test_null_is_as_good_as_absent(serving: Serving) -> None:
    """Clients fill in what they don't use: every supported field may be null."""
    nulls = dict.fromkeys(name for name, field in CHAT.items() if field.fate == "supported")
    message = {"role": "user", "content": "x", "name": None, "tool_calls": None, "tool_call_id": None, "refusal": None}
    async with serving() as served:
        answer, job = await answered(served, served.http.post(CHAT_PATH, json=nulls | {"messages": [message]}), STOP)

        assert answer.status_code == 200
        assert job["messages"] == [{"role": "user", "content": "x"}]
