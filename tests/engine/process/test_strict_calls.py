"""Strict tools in the engine: a call that a model makes of itself has arguments of its schema, in every attempt."""

from __future__ import annotations

import json
import shutil
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from shared.job import TemplateKwargs
from shared.tools import Function, Tool
from tests.engine.hermes import TEMPLATE
from worker.engine.text.speech import CUT_OFF
from worker.engine.wire import Generate, Resume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.event import ToolCall

    from .conftest import Answer, Engine

# Ids that the default model has no use for become the markers; the first one is favoured, so that there are calls
# in the middle of what a model of random weights says.
MARKERS = {"<repo_name>": "<tool_call>", "<reponame>": "</tool_call>"}
EAGER = {"3": 9.0}
ASK = Generate(prompt="x", max_tokens=200, template_kwargs=TemplateKwargs(enable_thinking=False), logit_bias=EAGER)
NAMES = ("city", "날짜", "a.b", 'say "hi"', "")


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Engine]:
    """An engine whose model often begins a call."""
    from .conftest import Engine  # noqa: PLC0415 pytest gives no other way to a neighbour's class

    folder = tmp_path_factory.mktemp("eager") / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    tokenizer = (folder / "tokenizer.json").read_text("utf-8")
    for old, new in MARKERS.items():
        tokenizer = tokenizer.replace(json.dumps(old), json.dumps(new))
    (folder / "tokenizer.json").write_text(tokenizer, "utf-8")
    engine = Engine(folder, "--context", "2048")
    engine.hear_ready()
    yield engine
    engine.kill()


def schema_of(dice: Random, depth: int) -> dict[str, Any]:
    """A schema of anything, as short as a random model's answer must be."""
    low = dice.randrange(-99, 99)
    leaves: list[dict[str, Any]] = [
        {"type": "boolean"},
        {"type": "integer", "minimum": low, "maximum": low + dice.randrange(300)},
        {"type": "string", "maxLength": dice.randrange(6)},
        {"enum": dice.sample(["서울", 'a"b\n', 3, None, 0.5, {"a": [1]}], 3)},
        {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[가-힣]{1,3}$"}]},
    ]
    if not depth or dice.random() < 0.6:
        return dice.choice(leaves)
    if dice.random() < 0.5:
        return {"type": "array", "items": schema_of(dice, depth - 1), "maxItems": dice.randrange(3)}
    return object_of(dice, depth - 1)


def object_of(dice: Random, depth: int = 2) -> dict[str, Any]:
    """A schema of objects, as strict tools have them: nothing optional, nothing more."""
    names = dice.sample(NAMES, dice.randrange(4))
    properties = {name: schema_of(dice, depth) for name in names}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def ask(seed: int, **fields: Any) -> Generate:
    """An ask with a strict tool, and one that is not."""
    schemas = [object_of(Random(seed)), object_of(Random(-seed))]
    tools = [Tool("function", Function(f"f{at}", None, schema, at == 0)) for at, schema in enumerate(schemas)]
    return replace(ASK, tools=tools, seed=seed, **fields)


def called(answer: Answer) -> list[ToolCall]:
    """All calls of an answer."""
    return [call for token in answer.tokens for call in token.tool_calls]


def test_calls_that_a_model_makes_are_of_the_schema(eager: Engine) -> None:
    """Of a strict tool always, whatever its schema; those of other tools are objects; text goes on between them."""
    asks = [ask(seed) for seed in range(1, 25)]

    answers = eager.ask(*asks)

    calls = [(each.tools or [], call) for each, answer in zip(asks, answers, strict=True) for call in called(answer)]
    for tools, call in calls:
        schemas = {"f0": tools[0].function.parameters or {}, "f1": {"type": "object"}}
        Draft202012Validator(schemas[call.name]).validate(json.loads(call.arguments))
    assert {call.name for _, call in calls} == {"f0", "f1"}
    assert len(calls) > len(asks)
    assert {token.warning for answer in answers for token in answer.tokens} <= {"", CUT_OFF}
    assert "".join(answer.text for answer in answers).strip()


def test_resumed_anywhere_strict_calls_are_the_same(eager: Engine) -> None:
    """Arguments and ids too, though the attempt began in the middle of a call, or between two."""
    request = ask(5)
    whole = eager.ask(request)[0]
    cuts = range(1, len(whole.ids), 7)

    rests = eager.ask(*(replace(request, resume=Resume(whole.ids[:cut])) for cut in cuts))

    assert called(whole)
    for cut, rest in zip(cuts, rests, strict=True):
        assert rest.ids == whole.ids[cut:]
        assert called(rest) == [call for token in whole.tokens[cut:] for call in token.tool_calls]
        assert "".join(token.content for token in whole.tokens[:cut]) + rest.text == whole.text


@pytest.mark.parametrize("temperature", [0, 1])
def test_one_call_ends_the_answer_in_every_attempt(eager: Engine, temperature: float) -> None:
    """With the very id that ends it, from a kept state too; and the slot is free."""
    request = ask(6, parallel_tool_calls=False, temperature=temperature)
    request = replace(request, tools=(request.tools or [])[:1])
    whole, again = eager.ask(request)[0], eager.ask(request)[0]
    cuts = range(1, len(whole.ids), 5)

    rests = eager.ask(*(replace(request, resume=Resume(whole.ids[:cut])) for cut in cuts))

    assert len(called(whole)) == len(whole.tokens[-1].tool_calls) == 1
    assert (whole.done.reason, whole.done.usage.completion_tokens) == ("tool_calls", len(whole.ids))
    assert (again.ids, called(again), again.text) == (whole.ids, called(whole), whole.text)
    for cut, rest in zip(cuts, rests, strict=True):
        assert (rest.ids, called(rest), rest.done.reason) == (whole.ids[cut:], called(whole), "tool_calls")
