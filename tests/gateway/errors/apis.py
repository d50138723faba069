"""The APIs as a client sees them that is refused: how each is asked, and how an error looks there."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from tests.gateway.hand import MODEL

ASKED_AS = "test-1"  # the request's id, which every answer repeats
HEADERS = {"x-request-id": ASKED_AS}
MESSAGES = [{"role": "user", "content": "안녕"}]


class Told(NamedTuple):
    """What an error says of itself; in Anthropic's envelope is no code, and the field's name stands in the message."""

    type: str
    message: str
    code: str | None = None
    param: str | None = None


class Api(NamedTuple):
    """A route that generates."""

    path: str
    ask: Mapping[str, Any]
    wrong: Mapping[str, tuple[Mapping[str, Any], str]]  # by code, what makes a request wrong, and the field's name
    prompt: str = "messages"  # what it calls the prompt
    is_anthropic: bool = False
    can_stream: bool = True

    def told(self, envelope: Mapping[str, Any]) -> Told:
        """Read an envelope, which must have all of its parts and no others."""
        if not self.is_anthropic:
            assert set(envelope) == {"error"}
            return told_in(envelope["error"])
        assert (set(envelope), envelope["type"]) == ({"type", "error", "request_id"}, "error")
        assert envelope["request_id"] == ASKED_AS
        assert set(envelope["error"]) == {"type", "message"}
        return Told(**envelope["error"])

    def refusal(self, answer: httpx.Response) -> tuple[int, Told]:
        """Status and error of an answer that must be a refusal, with the headers that all of them have."""
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"] == ASKED_AS
        assert answer.headers.get("request-id") == (ASKED_AS if self.is_anthropic else None)
        return answer.status_code, self.told(json.loads(answer.content))

    async def post(self, http: httpx.AsyncClient, body: Mapping[str, Any] = {}, /, **headers: str) -> httpx.Response:
        """Ask, with these fields changed; None takes one away."""
        given = {name: value for name, value in {**self.ask, **body}.items() if value is not None}
        return await http.post(self.path, json=given, headers=HEADERS | headers)


def told_in(error: Mapping[str, Any]) -> Told:
    """Read an error in the pool's own words, which are OpenAI's."""
    assert set(error) == {"message", "type", "param", "code"}
    return Told(**error)


_TOO_HOT = ({"temperature": 9}, "temperature")
_NO_MODEL = ({"model": "tinny"}, "model")
CHAT = Api(
    "/chat",
    {"messages": MESSAGES, "model": MODEL},
    {
        "invalid_value": _TOO_HOT,
        "missing_field": ({"messages": None}, "prompt"),
        "unknown_field": ({"colour": "red"}, "colour"),
        "model_not_found": _NO_MODEL,
    },
)
OPENAI_CHAT = Api(
    "/v1/chat/completions",
    {"messages": MESSAGES, "model": MODEL},
    {
        "invalid_value": _TOO_HOT,
        "missing_field": ({"messages": None}, "messages"),
        "unsupported": ({"functions": [{"name": "f"}]}, "functions"),
        "model_not_found": _NO_MODEL,
    },
)
OPENAI_TEXT = Api(
    "/v1/completions",
    {"prompt": "안녕", "model": MODEL},
    {
        "invalid_value": _TOO_HOT,
        "missing_field": ({"prompt": None}, "prompt"),
        "unsupported": ({"suffix": "x"}, "suffix"),
        "model_not_found": _NO_MODEL,
    },
    prompt="prompt",
)
RESPONSES = Api(
    "/v1/responses",
    {"input": "안녕", "model": MODEL},
    {
        "invalid_value": _TOO_HOT,
        "missing_field": ({"input": None}, "input"),
        "unsupported": ({"conversation": "conv_1"}, "conversation"),
        "model_not_found": _NO_MODEL,
        "previous_response_not_found": ({"previous_response_id": "resp_x"}, "previous_response_id"),
    },
    prompt="input",
)
_ANTHROPIC = {"messages": MESSAGES, "model": MODEL}
_ANTHROPIC_WRONG = {
    "missing_field": ({"messages": None}, "messages"),
    "unsupported": ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
}
ANTHROPIC = Api(
    "/v1/messages",
    _ANTHROPIC | {"max_tokens": 64},
    _ANTHROPIC_WRONG | {"invalid_value": _TOO_HOT, "model_not_found": _NO_MODEL},
    is_anthropic=True,
)
ANTHROPIC_COUNT = Api(
    "/v1/messages/count_tokens",
    _ANTHROPIC,
    _ANTHROPIC_WRONG | {"invalid_value": ({"messages": []}, "messages"), "model_not_found": _NO_MODEL},
    is_anthropic=True,
    can_stream=False,
)
APIS = (CHAT, OPENAI_CHAT, OPENAI_TEXT, RESPONSES, ANTHROPIC, ANTHROPIC_COUNT)
# It generates by and by: what is wrong with its requests is told as elsewhere, and what becomes of its lines in a file.
BATCHES = Api(
    "/v1/batches",
    {"input_file_id": "file-x", "endpoint": OPENAI_CHAT.path},
    {
        "invalid_value": ({}, "input_file_id"),
        "missing_field": ({"endpoint": None}, "endpoint"),
    },
    can_stream=False,
)
ALL = (*APIS, BATCHES)
