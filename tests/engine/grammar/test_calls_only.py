"""An answer that has to be calls: what may be said then, and what can't be asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from shared.errors import Refused
from shared.grammar import JsonObject
from shared.job import Ask
from shared.tools import Function, Named, NamedTool, Tool, ToolChoice
from tests.engine.talk import WEATHER, Families
from worker.engine.grammar.calls import calls_of
from worker.engine.grammar.library import Matcher, Vocabulary, words_of
from worker.engine.text.tokenizer import Tokenizer

NODE = {
    "description": "100 %json",
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/node"}},
    "additionalProperties": False,
}
TREE = Tool("function", Function("walk", None, {"$ref": "#/$defs/node", "$defs": {"node": NODE}}))
ASK = Ask(prompt="x", tools=[WEATHER, TREE], tool_choice="required")
TREE_ONLY = NamedTool("function", Named("walk"))
SEOUL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "서울"}}\n</tool_call>'
WALK = '<tool_call>{"name": "walk", "arguments": {"next":{"next":{}}}}</tool_call>'


@pytest.fixture(scope="module")
def hermes(tiny_model: Path) -> Tokenizer:
    """A model that writes its calls as JSON between markers, each of one id."""
    return Families(tiny_model, ["json_tools"]).of("json_tools")


@pytest.fixture(scope="module")
def vocabulary(hermes: Tokenizer) -> Vocabulary:
    """Its ids."""
    return Vocabulary(hermes.serialised(), size=49_160, ends=hermes.ends)


def may_say(tokenizer: Tokenizer, vocabulary: Vocabulary, ask: Ask, text: str) -> bool:
    """Whether an answer may be this text and end there."""
    form = calls_of(ask, tokenizer.dialect)
    assert form
    matcher, words = Matcher.compiled(vocabulary, form), np.zeros(words_of(vocabulary.size), dtype=np.uint32)
    assert not matcher.error, matcher.error
    for token in [*tokenizer.encode(text), min(tokenizer.ends)]:
        if matcher.is_over:
            return token in tokenizer.ends
        matcher.fill(words)
        if not words[token >> 5] >> (token & 31) & 1:
            return False
        matcher.take(token)
    return True


SAID: list[tuple[ToolChoice, str, bool]] = [
    ("required", SEOUL, True),
    ("required", f"\n\n{WALK}", True),
    ("required", f"{SEOUL}\n{WALK}\n{SEOUL}", True),
    ("required", "", False),
    ("required", "서울은 맑아요.", False),
    ("required", f"{SEOUL} 끝", False),
    ("required", SEOUL.replace("get_weather", "get_whatever"), False),
    ("required", SEOUL.replace('"서울"', "1"), False),
    ("required", SEOUL.replace('{"city": "서울"}', "null"), False),
    ("required", WALK.replace("next", "last"), False),
    (TREE_ONLY, WALK, True),
    (TREE_ONLY, SEOUL, False),
    (TREE_ONLY, WALK + WALK, False),
]


@pytest.mark.parametrize(("choice", "text", "may"), SAID)
def test_only_calls_of_the_offered_tools_may_be_said(
    hermes: Tokenizer, vocabulary: Vocabulary, choice: ToolChoice, text: str, *, may: bool
) -> None:
    """One or more with `required`, one with a name; arguments as the tool's schema has them, references too."""
    assert may_say(hermes, vocabulary, replace(ASK, tool_choice=choice), text) is may


def test_a_marker_of_many_ids_is_text(tiny_model: Path, vocabulary: Vocabulary) -> None:
    """Where the model's tokenizer knows no marker, its text is looked for."""
    plain = Families(tiny_model, ["json_tools"], has_markers=False).of("json_tools")

    assert may_say(plain, vocabulary, ASK, WALK)


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_free_choice_has_no_form(hermes: Tokenizer, choice: ToolChoice | None) -> None:
    """The model may answer as it likes."""
    assert calls_of(replace(ASK, tool_choice=choice), hermes.dialect) is None


def function(parameters: dict[str, Any]) -> list[Tool]:
    """One tool of these parameters."""
    return [Tool("function", Function("f", parameters=parameters))]


REFUSED = [
    (replace(ASK, response_format=JsonObject()), "unsupported", "tools"),
    (replace(ASK, tools=function({"type": "array"})), "invalid_value", "tools[0].function.parameters"),
    (replace(ASK, tools=function({"x-guidance": {}})), "unsupported", "tools[0].function.parameters.x-guidance"),
]


@pytest.mark.parametrize(("ask", "code", "param"), REFUSED)
def test_what_cannot_be_held_to_is_refused(hermes: Tokenizer, ask: Ask, code: str, param: str) -> None:
    """By its own name, and before anything is generated."""
    with pytest.raises(Refused) as refused:
        calls_of(ask, hermes.dialect)

    assert (refused.value.code, refused.value.param) == (code, param)


def test_a_family_without_json_calls_takes_no_demand(tiny_model: Path) -> None:
    """Never ignored: such a model takes auto or none."""
    with pytest.raises(Refused) as refused:
        calls_of(ASK, Families(tiny_model, ["mistral"]).of("mistral").dialect)

    assert (refused.value.code, refused.value.param) == ("unsupported", "tool_choice")
