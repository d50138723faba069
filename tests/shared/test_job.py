"""Jobs: parsed once, at the edge; whatever is wrong is refused by the name of its field."""

import contextlib
import functools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Refused
from shared.job import Job, Message, encode_job, parse_job, queue_tag, seed_of
from shared.tools import Function, Named, NamedTool, Tool, ToolChoice

SAY = {"prompt": "hello"}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name} | more}


TOOL = function("f")
CALL = {"id": "a1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
DEEP: dict[str, Any] = functools.reduce(lambda inner, _: {"properties": {"a": inner}}, range(40), {})


def refusal(body: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        parse_job(body)
    return refused.value


def test_the_smallest_job_has_the_missions_defaults() -> None:
    """A prompt is enough: everything else is as the original server had it."""
    job = parse_job(b'{"prompt":"hello"}')

    assert (job.prompt, job.kind, job.class_, job.stream, job.background) == ("hello", "chat", "std", True, False)
    assert (job.max_tokens, job.temperature, job.top_p, job.top_k) == (512, 0.7, 0.95, 40)
    assert (job.repeat_penalty, job.repeat_last_n, job.min_p, job.seed) == (1.1, 64, 0.0, None)


BROKEN: list[tuple[Any, str, str]] = [
    (SAY | {"propmt": "x"}, "unknown_field", "propmt"),
    (SAY | {"max_tokens": "many"}, "invalid_value", "max_tokens"),
    (SAY | {"max_tokens": 0}, "invalid_value", "max_tokens"),
    (SAY | {"max_tokens": 1_000_001}, "invalid_value", "max_tokens"),
    (SAY | {"max_tokens": 1.5}, "invalid_value", "max_tokens"),
    (SAY | {"max_tokens": None}, "invalid_value", "max_tokens"),
    (SAY | {"temperature": -0.1}, "invalid_value", "temperature"),
    (SAY | {"temperature": 5.1}, "invalid_value", "temperature"),
    (SAY | {"top_p": 0}, "invalid_value", "top_p"),
    (SAY | {"top_p": 1.01}, "invalid_value", "top_p"),
    (SAY | {"top_k": -1}, "invalid_value", "top_k"),
    (SAY | {"top_k": 1_025}, "invalid_value", "top_k"),
    (SAY | {"min_p": 2}, "invalid_value", "min_p"),
    (SAY | {"repeat_penalty": 0}, "invalid_value", "repeat_penalty"),
    (SAY | {"repeat_last_n": -1}, "invalid_value", "repeat_last_n"),
    (SAY | {"presence_penalty": 3}, "invalid_value", "presence_penalty"),
    (SAY | {"frequency_penalty": -3}, "invalid_value", "frequency_penalty"),
    (SAY | {"logit_bias": {"x": 1}}, "invalid_value", "logit_bias"),
    (SAY | {"logit_bias": {"1": 101}}, "invalid_value", "logit_bias[...]"),
    (SAY | {"logit_bias": {str(n): 0 for n in range(301)}}, "invalid_value", "logit_bias"),
    (SAY | {"seed": -1}, "invalid_value", "seed"),
    (SAY | {"seed": 2**63}, "invalid_value", "seed"),
    (SAY | {"stop": ""}, "invalid_value", "stop"),
    (SAY | {"stop": ["a"] * 17}, "invalid_value", "stop"),
    (SAY | {"stop": ["a", ""]}, "invalid_value", "stop[1]"),
    (SAY | {"stop": 1}, "invalid_value", "stop"),
    (SAY | {"min_tokens": 600}, "invalid_value", "min_tokens"),
    (SAY | {"logprobs": 21}, "invalid_value", "logprobs"),
    (SAY | {"logprobs": True}, "invalid_value", "logprobs"),
    (SAY | {"template_kwargs": {"chat_template": "x"}}, "unknown_field", "template_kwargs.chat_template"),
    (SAY | {"model": ""}, "invalid_value", "model"),
    (SAY | {"id": "a b"}, "invalid_value", "id"),
    (SAY | {"class": "urgent"}, "invalid_value", "class"),
    (SAY | {"timeout_ms": 0}, "invalid_value", "timeout_ms"),
    (SAY | {"timeout_ms": 3_600_001}, "invalid_value", "timeout_ms"),
    (SAY | {"linger_ms": -1}, "invalid_value", "linger_ms"),
    (SAY | {"background": "yes"}, "invalid_value", "background"),
    (SAY | {"affinity": ""}, "invalid_value", "affinity"),
    (SAY | {"affinity": "a" * 65}, "invalid_value", "affinity"),
    (SAY | {"affinity": "a\x00b"}, "invalid_value", "affinity"),
    (SAY | {"kind": "poem"}, "invalid_value", "kind"),
    (SAY | {"tools": []}, "invalid_value", "tools"),
    (SAY | {"tools": [TOOL] * 129}, "invalid_value", "tools"),
    (SAY | {"tools": [TOOL, TOOL]}, "invalid_value", "tools[1].function.name"),
    (SAY | {"tools": [{"type": "function", "function": {"name": "a b"}}]}, "invalid_value", "tools[0].function.name"),
    (SAY | {"tools": [{"type": "web"}]}, "invalid_value", "tools[0].type"),
    (SAY | {"tools": [{"type": "function"}]}, "missing_field", "tools[0].function"),
    (SAY | {"tools": [function("f", description="x" * (256 << 10))]}, "invalid_value", "tools"),
    (SAY | {"tools": [function("f", parameters=DEEP)]}, "invalid_value", "tools[0].function.parameters"),
    (SAY | {"tools": [TOOL], "kind": "text"}, "invalid_value", "tools"),
    ({"tokens": [1], "tools": [TOOL]}, "invalid_value", "tools"),
    (SAY | {"tool_choice": "any"}, "invalid_value", "tool_choice"),
    (SAY | {"parallel_tool_calls": 0}, "invalid_value", "parallel_tool_calls"),
    (SAY | {"tool_choice": "required"}, "invalid_value", "tool_choice"),
    (SAY | {"tools": [TOOL], "tool_choice": function("g")}, "invalid_value", "tool_choice"),
    ({"messages": [{"role": "assistant"}]}, "missing_field", "messages[0].content"),
    ({"messages": [{"role": "tool", "content": None}]}, "missing_field", "messages[0].content"),
    ({"messages": [{"role": "user", "tool_calls": [CALL]}]}, "invalid_value", "messages[0].tool_calls"),
    (
        {"messages": [{"role": "user", "content": "x", "tool_call_id": "a"}]},
        "invalid_value",
        "messages[0].tool_call_id",
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": "[]"}}]}]},
        "invalid_value",
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"prompt": ""}, "invalid_value", "prompt"),
    ({"prompt": 1}, "invalid_value", "prompt"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": [{"role": "user"}]}, "missing_field", "messages[0].content"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user", "content": "x", "at": 1}]}, "unknown_field", "messages[0].at"),
    ({"messages": [{"role": "user", "content": "x"}], "kind": "text"}, "invalid_value", "kind"),
    ({"tokens": []}, "invalid_value", "tokens"),
    ({"tokens": [1, -1]}, "invalid_value", "tokens[1]"),
    ({"tokens": [2**31]}, "invalid_value", "tokens[0]"),
    ({}, "missing_field", "prompt"),
    (SAY | {"tokens": [1]}, "invalid_value", "tokens"),
    (SAY | {"messages": [{"role": "user", "content": "x"}]}, "invalid_value", "messages"),
]


@pytest.mark.parametrize(
    ("body", "code", "param"), BROKEN, ids=[f"{param}-{n}" for n, (_, _, param) in enumerate(BROKEN)]
)
def test_every_bad_input_names_its_field(body: dict[str, Any], code: str, param: str) -> None:
    """A caller can mend a request from the answer alone."""
    refused = refusal(msgspec.json.encode(body))

    assert (refused.code, refused.param) == (code, param)
    assert refused.message.endswith(".")


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b'{"prompt":"\xff"}', b'{"prompt":NaN}', b'{"prompt":"a"}x'])
def test_what_is_no_json_is_told_so(body: bytes) -> None:
    """There is no field to name, only where it broke."""
    refused = refusal(body)

    assert (refused.code, refused.param) == ("invalid_json", None)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null"])
def test_json_that_is_no_object_is_told_so(body: bytes) -> None:
    """Well formed, but no request."""
    refused = refusal(body)

    assert (refused.code, refused.param) == ("invalid_value", None)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(msgspec.json.encode))
def test_no_body_whatever_is_anything_but_a_job_or_refused(body: bytes) -> None:
    """Nothing that a client can send raises what no caller expects."""
    with contextlib.suppress(Refused):
        parse_job(body)


def test_a_job_is_encoded_without_its_defaults() -> None:
    """Equal jobs are equal bytes: that is how a retry is told from another request under the same id."""
    job = Job(messages=[Message(role="user", content="안녕")], class_="lo", temperature=0.7)

    assert encode_job(job) == '{"messages":[{"role":"user","content":"안녕"}],"class":"lo"}'.encode()
    assert parse_job(encode_job(job)) == job


def test_what_a_field_bounds_is_taken_up_to_there() -> None:
    """300 biases, 16 stop strings, 20 alternatives; and no logprobs is not the same as none beside the drawn id's."""
    most = {"logit_bias": {str(n): -100 for n in range(300)}, "stop": ["x" * 256] * 16, "logprobs": 20}

    job = parse_job(msgspec.json.encode(SAY | most))

    assert (len(job.logit_bias or ()), len(job.stops), job.logprobs) == (300, 16, 20)
    assert [parse_job(msgspec.json.encode(SAY | {"logprobs": n})).logprobs for n in (0, None)] == [0, None]


def test_a_turn_that_made_calls_needs_no_text() -> None:
    """As clients send it back, with the answers of the tools; a tool may have no parameters."""
    turns = [{"role": "assistant", "content": None, "tool_calls": [CALL]}]
    answered = [*turns, {"role": "tool", "tool_call_id": "a1", "content": "21 °C"}]

    job = parse_job(msgspec.json.encode({"messages": answered, "tools": [TOOL], "tool_choice": TOOL}))

    assert job.messages
    assert job.messages[0].tool_calls
    assert parse_job(encode_job(job)) == job


@pytest.mark.parametrize(("choice", "offered"), [("none", 0), ("auto", 1), ("required", 1), (None, 1)])
def test_tools_are_offered_unless_none_is_chosen(choice: ToolChoice | None, offered: int) -> None:
    """A model that is told of a tool may call it."""
    job = Job(prompt="x", tools=[Tool("function", Function("f"))], tool_choice=choice)

    assert (len(job.offered), job.must_call) == (offered, choice == "required")


NAMED = NamedTool("function", Named("f"))


@pytest.mark.parametrize(
    ("choice", "is_parallel", "has_one"),
    [(None, True, False), ("required", True, False), (NAMED, True, True), (None, False, True), (NAMED, False, True)],
)
def test_one_call_is_all_where_the_job_says_so(choice: ToolChoice | None, *, is_parallel: bool, has_one: bool) -> None:
    """Or where it names the tool, which is called once."""
    tools = [Tool("function", Function("f"))]

    assert Job(prompt="x", tools=tools, tool_choice=choice, parallel_tool_calls=is_parallel).has_one_call is has_one


@pytest.mark.parametrize(("stop", "expected"), [(None, ()), ("a", ("a",)), (["a", "b"], ("a", "b")), ([], ())])
def test_stop_strings_have_one_shape_inside(stop: str | list[str] | None, expected: tuple[str, ...]) -> None:
    """One string or a list of them, as clients send it."""
    assert Job(prompt="x", stop=stop).stops == expected


def test_a_jobs_own_seed_is_the_same_for_every_attempt() -> None:
    """It comes from the id alone, and fits where seeds go."""
    assert seed_of("a") == seed_of("a") != seed_of("b")
    assert all(0 <= seed_of(str(n)) < 2**63 for n in range(1_000))


def test_a_queues_tag_is_eight_hex_digits() -> None:
    """What an id begins with says which queue it belongs to."""
    assert len(queue_tag("smollm2-135m")) == 8
    assert int(queue_tag("smollm2-135m"), 16) >= 0
