"""A chat request as a job."""

from typing import Any

import msgspec
import pytest

from gateway.openai.chat_job import DEFAULT_MAX_TOKENS, chat_job
from gateway.openai.chat_request import ChatRequest
from gateway.openai.fields import CHAT
from gateway.openai.reading import read_request
from shared.errors import Refused
from shared.job import Job, encode_job, parse_job

USER = [{"role": "user", "content": "x"}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("one", "two")]
NAMED = {"type": "function", "function": {"name": "two"}}
CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "one", "arguments": "{}"}}


def job_of(**fields: Any) -> Job:
    """The job of a request with these fields."""
    body = msgspec.json.encode({"messages": USER} | fields)
    return chat_job(read_request(body, ChatRequest, CHAT)[0])


def told(**fields: Any) -> dict[str, Any]:
    """The job as it would stand on the queue, which has to take it."""
    body = encode_job(job_of(**fields))
    assert parse_job(body)
    return msgspec.json.decode(body)


def test_defaults_are_openai_s() -> None:
    """Temperature 1, nothing cut off, no penalty; and a bound on what a request may take unasked."""
    job = job_of()

    assert (job.temperature, job.top_p, job.top_k, job.min_p, job.repeat_penalty) == (1, 1, 0, 0, 1)
    assert (job.max_tokens, job.seed, job.stop, job.logprobs) == (DEFAULT_MAX_TOKENS, None, None, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"min_tokens": 20_000}, {"min_tokens": 20_000, "max_tokens": 20_000}),
        ({"top_k": -1}, {}),
        ({"top_p": 0}, {"top_p": 1e-6}),
        ({"seed": -1}, {"seed": 2**63 - 1}),
        ({"stop": []}, {}),
        ({"stop": "a"}, {"stop": "a"}),
        ({"repetition_penalty": 1.2}, {"repeat_penalty": 1.2, "repeat_last_n": 4_096}),
        ({"presence_penalty": 1}, {"presence_penalty": 1, "repeat_last_n": 4_096}),
        ({"logit_bias": {"5": -100}}, {"logit_bias": {"5": -100}}),
        ({"top_k": 1_024, "min_p": 1, "temperature": 5}, {"top_k": 1_024, "min_p": 1}),
        ({"logprobs": True}, {"logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 20}, {"logprobs": 20}),
        ({"logprobs": False}, {}),
        ({"reasoning_effort": "none"}, {"template_kwargs": {"enable_thinking": False}}),
        ({"reasoning_effort": "max"}, {"template_kwargs": {"reasoning_effort": "high"}}),
        ({"chat_template_kwargs": {"enable_thinking": True}}, {"template_kwargs": {"enable_thinking": True}}),
        ({"modalities": ["text"]}, {}),
        ({"response_format": {"type": "text"}}, {"response_format": {"type": "text"}}),
        ({"tools": [], "tool_choice": "auto"}, {}),
        ({"tools": TOOLS}, {"tools": TOOLS}),
        ({"tools": TOOLS, "tool_choice": NAMED}, {"tools": TOOLS, "tool_choice": NAMED}),
        ({"tools": TOOLS, "parallel_tool_calls": False}, {"tools": TOOLS, "parallel_tool_calls": False}),
        ({"tools": TOOLS, "parallel_tool_calls": True}, {"tools": TOOLS}),
    ],
)
def test_a_field_becomes_the_pool_s(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Word for word where the words are the same."""
    job = told(**given)

    always = {"messages", "temperature", "top_p", "top_k", "repeat_penalty", "max_tokens"}
    assert expected.items() <= job.items()
    assert set(job) - always <= {*expected, *given}


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_are_the_only_ones(mode: str) -> None:
    """The model is told of no other."""
    job = told(tools=TOOLS, tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [NAMED]}})

    assert (job["tools"], job["tool_choice"]) == ([TOOLS[1]], mode)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
        ({"role": "user", "content": "x", "name": "yun"}, {"role": "user", "content": "x", "name": "yun"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "a\nb"},
        ),
        ({"role": "assistant", "refusal": "no", "content": None}, {"role": "assistant", "content": "no"}),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "assistant", "content": "no"},
        ),
        ({"role": "assistant", "tool_calls": [CALL | {"index": 0}]}, {"role": "assistant", "tool_calls": [CALL]}),
        (
            {"role": "tool", "content": "x", "tool_call_id": "c"},
            {"role": "tool", "content": "x", "tool_call_id": "c"},
        ),
    ],
)
def test_a_message_becomes_the_pool_s(message: dict[str, Any], expected: dict[str, Any]) -> None:
    """Developers speak as the system; text comes in parts or whole."""
    assert told(messages=[message])["messages"] == [expected]


IMAGE = {"type": "image_url", "image_url": {"url": "data:"}}


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"messages": []}, "invalid_value", "messages"),
        ({"messages": [{"role": "user"}]}, "missing_field", "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "unsupported", "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "missing_field",
            "messages[0].content[0].text",
        ),
        ({"messages": [{"role": "function", "content": "x", "name": "f"}]}, "unsupported", "messages[0]"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "unsupported", "messages[0].audio"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}]},
            "unsupported",
            "messages[0].tool_calls[0]",
        ),
        ({"n": 9}, "invalid_value", "n"),
        ({"top_logprobs": 2}, "invalid_value", "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "invalid_value", "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "unsupported", "modalities"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "unsupported", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_field", "tools[0].function"),
        ({"tools": TOOLS + TOOLS}, "invalid_value", "tools[2].function.name"),
        ({"tool_choice": "required"}, "invalid_value", "tool_choice"),
        ({"tool_choice": NAMED}, "invalid_value", "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "invalid_value", "tool_choice.type"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}},
            "invalid_value",
            "tool_choice.allowed_tools.tools",
        ),
        ({"tools": TOOLS, "parallel_tool_calls": "no"}, "invalid_value", "parallel_tool_calls"),
        ({"response_format": {"type": "json_schema"}}, "missing_field", "response_format.json_schema"),
        ({"response_format": {"type": "yaml"}}, "invalid_value", "response_format.type"),
        ({"min_tokens": 6, "max_tokens": 5}, "invalid_value", "min_tokens"),
        ({"stop": ["x"] * 17}, "invalid_value", "stop"),
        ({"logit_bias": {"x": 1}}, "invalid_value", "logit_bias"),
        ({"stream": "yes"}, "invalid_value", "stream"),
    ],
)
def test_what_can_not_be_done_is_refused_by_name(given: dict[str, Any], code: str, param: str) -> None:
    """The path is the one in the client's own request."""
    with pytest.raises(Refused) as raised:
        job_of(**given)

    assert (raised.value.code, raised.value.param) == (code, param)
