"""Tools in the engine: a call that is demanded is made, and is the same in every attempt."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shared.job import TemplateKwargs
from shared.tools import Function, Named, NamedTool, Tool
from tests.engine.hermes import TEMPLATE
from worker.engine.wire import Generate, Resume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.event import ToolCall

    from .conftest import Answer, Engine

DAY = {"enum": ["오늘", "내일"]}
FORECAST = {"type": "object", "properties": {"day": DAY}, "required": ["day"], "additionalProperties": False}
TOOLS = [Tool("function", Function(name, parameters=FORECAST)) for name in ("rain", "sun")]
SUN = NamedTool("function", Named("sun"))
ASK = Generate(prompt="x", tools=TOOLS, seed=3, max_tokens=300, template_kwargs=TemplateKwargs(enable_thinking=False))


@pytest.fixture(scope="module")
def hermes(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Engine]:
    """An engine whose model has a template for tools, and random weights: of itself it makes no calls."""
    from .conftest import Engine  # noqa: PLC0415 pytest gives no other way to a neighbour's class

    folder = tmp_path_factory.mktemp("hermes") / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    engine = Engine(folder, "--context", "2048")
    engine.hear_ready()
    yield engine
    engine.kill()


def called(answer: Answer) -> list[ToolCall]:
    """All calls of an answer."""
    return [call for token in answer.tokens for call in token.tool_calls]


def test_a_demanded_call_is_made(hermes: Engine) -> None:
    """Any tool, or the one that was named, with arguments of its schema, and nothing else; greedy or drawn."""
    choices = [("required", {"rain", "sun"}), (SUN, {"sun"})]
    asks = [replace(ASK, tool_choice=choice, temperature=heat) for choice, _ in choices for heat in (0, 1)]

    answers = hermes.ask(*asks)

    for (_, names), answer in zip([choice for choice in choices for _ in range(2)], answers, strict=True):
        assert {call.name for call in called(answer)} <= names
        assert all(json.loads(call.arguments)["day"] in DAY["enum"] for call in called(answer))
        assert called(answer)
    assert [answer.done.reason for answer in answers[2:]] == ["tool_calls"] * 2
    assert [answer.text.strip() for answer in answers[2:]] == [""] * 2


def test_resumed_anywhere_a_demanded_call_is_the_same(hermes: Engine) -> None:
    """Arguments and id too, though the attempt began in the middle of the call."""
    ask = replace(ASK, tool_choice=SUN)
    whole = hermes.ask(ask)[0]
    cuts = range(1, len(whole.ids), 5)

    rests = hermes.ask(*(replace(ask, resume=Resume(whole.ids[:cut])) for cut in cuts))

    assert len(called(whole)) == 1
    for cut, rest in zip(cuts, rests, strict=True):
        assert (rest.ids, called(rest), rest.done.reason) == (whole.ids[cut:], called(whole), "tool_calls")


def test_the_ids_of_a_call_have_logprobs(hermes: Engine) -> None:
    """They come with the ids, before the call whose ids they are is whole."""
    told = hermes.ask(replace(ASK, tool_choice=SUN, logprobs=1))[0]

    (call,) = called(told)
    spelled = b"".join(bytes(entry.bytes) for token in told.tokens for entry in token.logprobs).decode().strip()
    written = json.loads(spelled.removeprefix("<tool_call>").removesuffix("</tool_call>"))
    assert written == {"name": "sun", "arguments": json.loads(call.arguments)}
    assert all(len(token.logprobs) == 1 for token in told.tokens[:-1])


def test_a_free_choice_leaves_the_model_alone(hermes: Engine) -> None:
    """Tools that are offered are in the prompt, and force nothing."""
    offered, bare = hermes.ask(*(replace(ASK, tools=tools, max_tokens=8) for tools in (TOOLS, None)))

    assert offered.started
    assert bare.started
    assert offered.started.prompt_tokens > bare.started.prompt_tokens
    assert called(offered) == called(bare) == []


REFUSED = {
    "a model without tools": (replace(ASK, tools=TOOLS), "unsupported", "tools"),
    "a model without calls in JSON": (replace(ASK, tool_choice="required"), "unsupported", "tool_choice"),
}


@pytest.mark.parametrize(("ask", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_model_cannot_do_is_refused(engine: Engine, ask: Generate, code: str, param: str) -> None:
    """Never ignored: the answer would be another one."""
    error = engine.ask(ask)[0].error

    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"type": "object", "properties": {"a": {"not": {}}}}, "tools"),
        ({"type": "object", "properties": {"a": {"multipleOf": True}}}, "tools"),
        ({"type": "string"}, "tools[0].function.parameters"),
    ],
)
def test_parameters_that_no_grammar_holds_are_refused(
    hermes: Engine, parameters: dict[str, object], param: str
) -> None:
    """Only where a call is demanded; else they are the model's to obey."""
    tools = [Tool("function", Function("f", parameters=parameters))]

    error = hermes.ask(replace(ASK, tools=tools, tool_choice="required"))[0].error

    assert error.param == param
    assert hermes.ask(replace(ASK, tools=tools, max_tokens=2))[0].done
