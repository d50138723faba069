"""Calls that are held to a form, since they must be made or are strict: what may be said, and what can't be asked."""

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


def may_say(tokenizer: Tokenizer, vocabulary: Vocabulary, ask: Ask, *pieces: str) -> bool:
    """Whether an answer may be this text and end there; each of the pieces is spelled by itself."""
    form = calls_of(ask, tokenizer.dialect)
    assert form
    matcher, words = Matcher.compiled(vocabulary, form), np.zeros(words_of(vocabulary.size), dtype=np.uint32)
    assert not matcher.error, matcher.error
    for token in [*(token for text in pieces for token in tokenizer.encode(text)), min(tokenizer.ends)]:
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


@pytest.mark.parametrize(("text", "may"), [(SEOUL, True), (f"{SEOUL}\n{WALK}", False), ("", False)])
def test_one_call_is_no_more_than_one(hermes: Tokenizer, vocabulary: Vocabulary, text: str, *, may: bool) -> None:
    """Also where any tool will do."""
    assert may_say(hermes, vocabulary, replace(ASK, parallel_tool_calls=False), text) is may


def test_a_marker_of_many_ids_is_text(tiny_model: Path, vocabulary: Vocabulary) -> None:
    """Where the model's tokenizer knows no marker, its text is looked for."""
    plain = Families(tiny_model, ["json_tools"], has_markers=False).of("json_tools")

    assert may_say(plain, vocabulary, ASK, WALK)


STRICT = Tool("function", replace(WEATHER.function, strict=True))
FREE = replace(ASK, tools=[STRICT, TREE], tool_choice=None)
IN_TEXT = [
    ("", True),
    ("서울은 <b>맑아요</b>. <tool_cal", True),
    (SEOUL, True),
    (f"보자.\n{SEOUL} 그리고 {WALK}\n끝", True),
    (SEOUL.replace('"서울"', "1"), False),
    (SEOUL.replace("get_weather", "get_whatever"), False),
    (WALK.replace("next", "last"), True),  # this one is not strict
    (WALK.replace('{"next":{"next":{}}}', "[]"), False),
    (f"보자. {SEOUL.removesuffix('</tool_call>')}", False),
    ("보자. <tool_call>흠</tool_call>", False),
]


@pytest.mark.parametrize(("text", "may"), IN_TEXT)
def test_a_strict_call_is_held_to_its_form_in_the_middle_of_text(
    hermes: Tokenizer, vocabulary: Vocabulary, text: str, *, may: bool
) -> None:
    """The text is any, the tools are those that are offered, and the arguments of a strict one are of its schema."""
    assert may_say(hermes, vocabulary, FREE, text) is may


@pytest.mark.parametrize("has_markers", [True, False])
def test_a_spelled_marker_begins_a_call_too(tiny_model: Path, vocabulary: Vocabulary, *, has_markers: bool) -> None:
    """It is looked for in the text, so no other ids for it lead around the form."""
    model = Families(tiny_model, ["json_tools"], has_markers=has_markers).of("json_tools")
    begin = ("보자. <tool", "_call", '>{"name": "')

    assert may_say(model, vocabulary, FREE, *begin, 'walk", "arguments": {}}</tool_call> 끝')
    assert not may_say(model, vocabulary, FREE, *begin, 'run", "arguments": {}}</tool_call> 끝')


@pytest.mark.parametrize(("text", "may"), [("끝", True), (f"자, {SEOUL}", True), (f"{SEOUL} 끝", False)])
def test_one_strict_call_is_the_answers_end(hermes: Tokenizer, vocabulary: Vocabulary, text: str, *, may: bool) -> None:
    """Nothing can be said behind it."""
    assert may_say(hermes, vocabulary, replace(FREE, parallel_tool_calls=False), text) is may


def test_a_family_without_json_calls_takes_strict_as_a_hint(tiny_model: Path) -> None:
    """Clients set it on all their tools; such a model obeys as well as it can."""
    assert calls_of(FREE, Families(tiny_model, ["mistral"]).of("mistral").dialect) is None


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_free_choice_has_no_form(hermes: Tokenizer, choice: ToolChoice | None) -> None:
    """The model may answer as it likes."""
    assert calls_of(replace(ASK, tool_choice=choice), hermes.dialect) is None


def function(parameters: dict[str, Any]) -> list[Tool]:
    """One tool of these parameters."""
    return [Tool("function", Function("f", parameters=parameters))]


STRICT_LIST = Tool("function", Function("f", parameters={"type": "array"}, strict=True))
REFUSED = [
    (replace(ASK, response_format=JsonObject()), "unsupported", "tools"),
    (replace(ASK, tools=function({"type": "array"})), "invalid_value", "tools[0].function.parameters"),
    (replace(FREE, tools=[STRICT_LIST]), "invalid_value", "tools[0].function.parameters"),
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
