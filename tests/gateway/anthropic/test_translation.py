"""What a request becomes: the conversation, the tools, the sampling, word for word."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.anthropic.reading import read_request
from gateway.anthropic.request import Asked, Prompted
from gateway.anthropic.translation import answer_job, count_job
from shared.errors import Refused
from shared.job import Job, encode_job, parse_job

from .speech import HELLO

USER: dict[str, Any] = {"role": "user", "content": "a"}
TOOL: dict[str, Any] = {"name": "look", "input_schema": {"type": "object"}}
TEXT: dict[str, Any] = {"type": "text", "text": "t"}
USE: dict[str, Any] = {"type": "tool_use", "id": "1", "name": "look", "input": {"at": "한"}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "1", "content": "seen"}


def job_of(**fields: Any) -> Job:
    """The job that a request becomes."""
    request, _ = read_request(json.dumps(HELLO | fields).encode(), {}, Asked)
    return answer_job(request).job


def said(**fields: Any) -> list[tuple[str, str | None]]:
    """Who says what in its conversation."""
    return [(message.role, message.content) for message in job_of(**fields).messages or []]


def turns(*contents: Any) -> dict[str, Any]:
    """A conversation that user and assistant take turns in, beginning and ending with the user."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": content} for at, content in enumerate(contents)]}


CONVERSATIONS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (turns("a", "b", "c"), [("user", "a"), ("assistant", "b"), ("user", "c")]),
    (turns([TEXT, TEXT]), [("user", "t\nt")]),
    (turns([]), [("user", "")]),
    ({"system": "s"}, [("system", "s"), ("user", "안녕")]),
    ({"system": ""}, [("user", "안녕")]),
    ({"system": [TEXT, TEXT]}, [("system", "t\nt"), ("user", "안녕")]),
    ({"system": "x-anthropic-billing-header: cch=1;\nyou"}, [("system", "you"), ("user", "안녕")]),
    ({"messages": [USER, USER]}, [("user", "a\na")]),
    ({"messages": [USER, {"role": "system", "content": [TEXT]}]}, [("user", "a"), ("system", "t")]),
    ({"system": "s", "messages": [{"role": "system", "content": "t"}, USER]}, [("system", "s\nt"), ("user", "a")]),
    (turns("a", [TEXT, USE], [RESULT, TEXT]), [("user", "a"), ("assistant", "t"), ("tool", "seen"), ("user", "t")]),
    (turns("a", [USE], [RESULT | {"is_error": True}]), [("user", "a"), ("assistant", ""), ("tool", "Error: seen")]),
    (turns("a", [USE], [RESULT | {"content": None}]), [("user", "a"), ("assistant", ""), ("tool", "")]),
    (turns("a", [{"type": "thinking", "thinking": "hm", "signature": "x"}, TEXT], "b"),
     [("user", "a"), ("assistant", "t"), ("user", "b")]),
    (turns("a", [{"type": "redacted_thinking", "data": "x"}], "b"), [("user", "a"), ("assistant", ""), ("user", "b")]),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), CONVERSATIONS)
def test_a_conversation_is_told_in_the_pools_words(given: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Blocks become texts, calls and results; turns of one role become one; what tools gave stays apart."""
    assert said(**given) == expected


def test_calls_keep_their_ids_and_arguments() -> None:
    """A result names its call."""
    messages = job_of(**turns("a", [USE, USE | {"id": "2"}], [RESULT, RESULT | {"tool_use_id": "2"}])).messages or []

    assert [(call.id, call.function.name, call.function.arguments) for call in messages[1].tool_calls or []] == [
        ("1", "look", '{"at":"한"}'),
        ("2", "look", '{"at":"한"}'),
    ]
    assert [message.tool_call_id for message in messages[2:]] == ["1", "2"]


def test_what_is_said_behind_a_call_is_not_told_as_said_before_it() -> None:
    """Turns of the assistant become one only where their order can be kept."""
    given = [USER, {"role": "assistant", "content": [USE]}, {"role": "assistant", "content": "b"}, USER]

    assert said(messages=given) == [("user", "a"), ("assistant", ""), ("assistant", "b"), ("user", "a")]


def test_the_defaults_are_anthropics() -> None:
    """Who names no sampling gets plain sampling, not the pool's own."""
    job = job_of()

    assert (job.temperature, job.top_p, job.top_k, job.min_p, job.repeat_penalty) == (1, 1, 0, 0, 1)
    assert (job.max_tokens, job.stops, job.tools, job.tool_choice, job.response_format) == (64, (), None, None, None)


@pytest.mark.parametrize(
    ("given", "kwargs"),
    [
        ({}, (False, None)),
        ({"thinking": {"type": "disabled"}}, (False, None)),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, (True, None)),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, (True, None)),
        ({"output_config": {"effort": "low"}}, (False, "low")),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, (True, "high")),
    ],
)
def test_thinking_is_told_to_the_template(given: dict[str, Any], kwargs: tuple[bool, str | None]) -> None:
    """Who does not ask for thoughts gets none, where the model can do without."""
    told = job_of(**given).template_kwargs

    assert told is not None
    assert (told.enable_thinking, told.reasoning_effort) == kwargs


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({"type": "auto"}, None),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look", "disable_parallel_tool_use": True}, "look"),
    ],
)
def test_a_tool_is_chosen(given: dict[str, Any], choice: str | None) -> None:
    """Anthropic's four ways are the pool's."""
    chosen = job_of(tools=[TOOL], tool_choice=given).tool_choice

    assert (chosen if isinstance(chosen, str) or chosen is None else chosen.function.name) == choice


@pytest.mark.parametrize("kind", [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "look"}])
def test_one_call_is_asked_for_in_the_choice(kind: dict[str, Any]) -> None:
    """Whatever is chosen; who says nothing, or false, takes several."""
    chosen = [kind, *(kind | {"disable_parallel_tool_use": is_disabled} for is_disabled in (False, True))]
    jobs = [job_of(tools=[TOOL], tool_choice=choice) for choice in chosen]

    assert [job.parallel_tool_calls for job in (*jobs, job_of(tools=[TOOL]))] == [True, True, False, True]


def test_a_strict_tool_stays_strict() -> None:
    """Its input is held to the schema, where a model can be."""
    tools = job_of(tools=[TOOL | {"strict": True}, TOOL | {"name": "see"}]).tools or []

    assert [tool.function.strict for tool in tools] == [True, None]


@pytest.mark.parametrize("given", [{"output_config": {"format": "?"}}, {"output_format": "?"}])
def test_a_schema_holds_the_answer(given: dict[str, Any]) -> None:
    """A form that is asked for is never ignored, under either of its names."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    form = {"type": "json_schema", "schema": schema}
    given = {"output_config": {"format": form}} if "output_config" in given else {"output_format": form}

    told = json.loads(encode_job(job_of(**given)))["response_format"]
    assert told == {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}


def test_a_prompt_that_ends_with_the_assistant_can_be_counted() -> None:
    """Counting asks for no answer, so nothing has to be begun for the model."""
    request, _ = read_request(json.dumps({"model": "tiny", **turns("a", "b")}).encode(), {}, Prompted)

    assert count_job(request).kind == "count"
    with pytest.raises(Refused, match="prefill"):
        job_of(**turns("a", "b"))


BLOCKS = some.lists(some.sampled_from([TEXT, USE, RESULT, {"type": "thinking", "thinking": "x", "signature": ""}]))
CONTENT = some.text(max_size=3) | BLOCKS
TURNS = some.lists(
    some.fixed_dictionaries({"role": some.sampled_from(["user", "assistant", "system"]), "content": CONTENT})
)


@given(TURNS)
def test_what_is_accepted_is_a_job_that_workers_accept(given: list[dict[str, Any]]) -> None:
    """Nothing gets past the gateway that a worker would have to refuse."""
    try:
        job = job_of(messages=given)
    except Refused:
        return

    assert encode_job(parse_job(encode_job(job))) == encode_job(job)
