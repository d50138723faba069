"""What becomes of each field: table, struct and page say the same, and so does the gateway."""

from pathlib import Path

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from gateway.openai.fields import table
from gateway.responses.fields import RESPONSES
from gateway.responses.request import ResponseRequest
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal
from tests.gateway.openai.sdk import STOP, answered

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"
PATH = "/v1/responses"


def test_a_field_is_supported_where_the_struct_has_it() -> None:
    """The table can't promise what the code does not read; what it shares with chats and refuses is told so."""
    supported = {name for name, field in RESPONSES.items() if field.fate == "supported"}

    assert supported == set(ResponseRequest.__struct_fields__) - {"n"}


def test_every_field_of_the_client_stands_in_the_table() -> None:
    """What OpenAI's client can send has a fate that was thought about."""
    assert set(ResponseCreateParamsStreaming.__annotations__) - set(RESPONSES) == set()


def test_the_page_is_drawn_from_the_table() -> None:
    """Whoever changes one changes the other; what is to stand on the page is in this test's failure."""
    assert table(RESPONSES) in PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", [name for name, field in RESPONSES.items() if field.fate == "refused"])
async def test_what_would_change_the_answer_is_refused_by_name(serving: Serving, name: str) -> None:
    """And null is as good as absent."""
    async with serving() as served:
        answer = await served.http.post(PATH, json={"input": "x", name: "x"})
        told, _ = await answered(served, served.http.post(PATH, json={"input": "x", name: None}), STOP)

        assert refusal(answer) == (400, "unsupported", name)
        assert told.status_code == 200
        assert "x-mlx-pool-ignored" not in told.headers


async def test_what_has_no_effect_is_told_in_a_header(serving: Serving) -> None:
    """Hints, unknown names, nested ones, and what can't be included."""
    hints = {name: "x" for name, field in RESPONSES.items() if field.fate == "hint"}
    body = hints | {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "x", "colour": 1}]}],
        "text": {"verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    }
    async with serving() as served:
        told, _ = await answered(served, served.http.post(PATH, json=body), STOP)

        nested = {"input[].content[].colour", "text.verbosity", "reasoning.summary"}
        ignored = set(told.headers["x-mlx-pool-ignored"].split(", "))
        assert ignored == {*hints, *nested, "include.reasoning.encrypted_content"}


async def test_null_is_as_good_as_absent(serving: Serving) -> None:
    """Clients fill in what they don't use: every supported field may be null, and is answered with its default."""
    nulls = dict.fromkeys(name for name, field in RESPONSES.items() if field.fate == "supported")
    async with serving() as served:
        told, _ = await answered(served, served.http.post(PATH, json=nulls | {"input": "x"}), STOP)

        assert told.status_code == 200
        assert (told.json()["store"], told.json()["tool_choice"], told.json()["metadata"]) == (True, "auto", {})
