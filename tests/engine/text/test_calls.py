"""Calls in an answer: read as the model's family writes them, and shown as text where they can't be."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shared.errors import Fault
from tests.engine.talk import AT_ONCE, WEATHER, hear, ids_of
from worker.engine.text.speech import CUT_OFF, UNREADABLE
from worker.engine.wire import Generate

if TYPE_CHECKING:
    from tests.engine.talk import Families
    from worker.engine.text.tokenizer import Tokenizer

ASK = Generate(prompt="날씨?", tools=[WEATHER], template_kwargs=AT_ONCE, seed=7)
SEOUL = ("get_weather", {"city": "서울", "days": 2})
# How each family says that it wants the weather of Seoul for two days.
FAMILIES = {
    "json_tools": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "서울", "days": 2}}\n</tool_call>',
    "qwen3_coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\n서울\n</parameter>\n<parameter=days>\n2\n"
    "</parameter>\n</function>\n</tool_call>",
    "mistral": '[TOOL_CALLS]get_weather[ARGS]{"city": "서울", "days": 2}',
    "function_gemma": "<start_function_call>call:get_weather{city:<escape>서울<escape>,days:2}<end_function_call>",
    "gemma4": '<|tool_call>call:get_weather{city:<|"|>서울<|"|>,days:2}<tool_call|>',
    "pythonic": '<|tool_call_start|>[get_weather(city="서울", days=2)]<|tool_call_end|>',
    "kimi_k2": "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
    '{"city": "서울", "days": 2}<|tool_call_end|><|tool_calls_section_end|>',
    "minicpm5": '<function name="get_weather"><param name="city">서울</param><param name="days">2</param></function>',
    "glm47": "<tool_call>get_weather<arg_key>city</arg_key><arg_value>서울</arg_value>"
    "<arg_key>days</arg_key><arg_value>2</arg_value></tool_call>",
}
HERMES = FAMILIES["json_tools"]


@pytest.mark.parametrize("parser", FAMILIES)
def test_a_call_is_read_as_its_family_writes_it(families: Families, parser: str) -> None:
    """A client gets name and arguments, whatever the model's way to say them, and nothing of that way."""
    model = families.of(parser)

    answer = hear(model, ASK, ids_of(model, "잠시만요. " + FAMILIES[parser]))

    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [SEOUL]
    assert (answer.content.strip(), answer.warnings, answer.done.reason) == ("잠시만요.", [], "tool_calls")


@pytest.mark.parametrize("parser", FAMILIES)
def test_a_call_cut_off_by_the_limit_is_text(families: Families, parser: str) -> None:
    """Half a call is none, even where it looks whole: nobody may act upon it."""
    model = families.of(parser)
    whole = ids_of(model, FAMILIES[parser], has_end=False)
    cut = whole if parser == "mistral" else whole[:-1]

    answer = hear(model, ASK, cut)

    assert (answer.calls, answer.warnings, answer.done.reason) == ([], [CUT_OFF], "length")
    assert FAMILIES[parser].startswith(answer.content)
    assert answer.content


BROKEN = {
    "no JSON": '<tool_call>\n{"name": "get_weather", "arguments": {"city": \n</tool_call>',
    "no name": '<tool_call>{"arguments": {}}</tool_call>',
    "another type": '<tool_call>{"name": "get_weather", "arguments": [1]}</tool_call>',
    "a list of texts": '<tool_call>["get_weather"]</tool_call>',
    "an empty list": "<tool_call>[]</tool_call>",
    "nothing": "<tool_call></tool_call>",
    "half a character": '<tool_call>{"name": "get_weather", "arguments": {"city": "\\ud800"}}</tool_call>',
    "half a character for a name": '<tool_call>{"name": "\\ud800", "arguments": {}}</tool_call>',
    "no end": '<tool_call>{"name": "get_weather", "argu',
    "too long": f'<tool_call>{{"name": "get_weather", "arguments": {{"city": "{"x " * 33_000}"}}}}</tool_call>',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_is_shown_as_it_is(hermes: Tokenizer, text: str) -> None:
    """Nothing that a model said is dropped; a warning tells why it is there."""
    answer = hear(hermes, ASK, ids_of(hermes, f"보자: {text}"))

    assert (answer.calls, answer.content, answer.warnings) == ([], f"보자: {text}", [UNREADABLE])
    assert answer.done.reason == "stop"


@pytest.mark.long
def test_a_call_that_takes_too_long_to_read_is_text(families: Families) -> None:
    """A model that repeats itself makes nobody else wait: some parsers would search for minutes."""
    model = families.of("gemma4")
    began = time.monotonic()

    calls = model.dialect.read_calls("call:a{" * 9_000, [WEATHER])

    assert calls is None
    assert time.monotonic() - began < 3


def test_a_call_without_its_end_is_one_where_the_turn_ended(hermes: Tokenizer) -> None:
    """Some models end their turn in place of the marker."""
    answer = hear(hermes, ASK, ids_of(hermes, HERMES.removesuffix("</tool_call>")))

    assert [name for name, _ in answer.called] == ["get_weather"]
    assert (answer.content, answer.warnings) == ("", [])


def test_arguments_may_hold_what_calls_are_made_of(hermes: Tokenizer) -> None:
    """Braces, quotes and line ends in a text are that text."""
    city = 'a }{ "b" \\ </tool_cal\n<think> 안녕 👩‍👩‍👧‍👦'
    call = f"<tool_call>{json.dumps({'name': 'f', 'arguments': {'city': city}}, ensure_ascii=False)}</tool_call>"

    answer = hear(hermes, ASK, ids_of(hermes, call))

    assert [json.loads(arguments) for _, arguments in answer.called] == [{"city": city}]


def test_several_calls_of_a_turn_are_told_apart(hermes: Tokenizer) -> None:
    """They are numbered, their ids differ, and blanks between them are no content."""
    answer = hear(hermes, ASK, ids_of(hermes, f"{HERMES}\n{HERMES}\n\n{HERMES}"))

    assert [call.index for call in answer.calls] == [0, 1, 2]
    assert len({call.id for call in answer.calls}) == 3
    assert answer.content == ""


def test_a_calls_id_is_its_own_in_a_conversation(hermes: Tokenizer) -> None:
    """Equal in every attempt; another in another turn, though a client gives all turns one seed."""
    ids = ids_of(hermes, HERMES)
    other_turn = Generate(prompt="내일은?", tools=[WEATHER], template_kwargs=AT_ONCE, seed=7)

    (first,), (again,), (other,) = (hear(hermes, ask, ids).calls for ask in (ASK, ASK, other_turn))

    assert first == again
    assert first.id != other.id
    assert first.id.isalnum()
    assert len(first.id) == 9


def test_a_models_own_ids_are_kept(families: Families) -> None:
    """Such a model looks for them in the conversation that comes back."""
    kimi = families.of("kimi_k2")

    assert [call.id for call in hear(kimi, ASK, ids_of(kimi, FAMILIES["kimi_k2"])).calls] == ["functions.get_weather:0"]


@pytest.mark.parametrize(
    "ask",
    [
        Generate(prompt="x", template_kwargs=AT_ONCE),
        Generate(prompt="x", tools=[WEATHER], template_kwargs=AT_ONCE, tool_choice="none"),
    ],
)
def test_without_tools_a_call_is_text(hermes: Tokenizer, ask: Generate) -> None:
    """Who offers none can't be called."""
    answer = hear(hermes, ask, ids_of(hermes, HERMES))

    assert (answer.content, answer.calls, answer.warnings, answer.done.reason) == (HERMES, [], [], "stop")


@pytest.mark.parametrize("parser", ["json_tools", "mistral"])
def test_resumed_anywhere_it_is_the_same_answer(families: Families, parser: str) -> None:
    """An attempt that goes on in the middle of a call tells it as the first would have."""
    model = families.of(parser)
    ids = ids_of(model, f"<think>흠, 서울?</think>\n\n자, {FAMILIES[parser]}" + (" 끝" if parser != "mistral" else ""))
    whole = hear(model, ASK, ids)

    for resumed in range(1, len(ids)):
        answer = hear(model, ASK, ids, resumed=resumed)

        assert answer.tokens == whole.tokens[resumed:]
        assert answer.done.reason == whole.done.reason == "tool_calls"


ONCE = replace(ASK, parallel_tool_calls=False)


@pytest.mark.parametrize("parser", FAMILIES)
def test_the_only_call_ends_the_answer(families: Families, parser: str) -> None:
    """Nothing of what a model says behind it is told; where its end has a marker, nothing of it is computed either."""
    model = families.of(parser)
    ids = ids_of(model, f"잠시만요. {FAMILIES[parser]}{FAMILIES[parser]} 끝")

    answer = hear(model, ONCE, ids)

    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [SEOUL]
    assert (answer.content.strip(), answer.warnings, answer.done.reason) == ("잠시만요.", [], "tool_calls")
    assert answer.done.usage.completion_tokens == len(answer.tokens)
    assert (len(answer.tokens) < len(ids)) is (parser != "mistral")


def test_text_held_back_comes_before_the_only_call(hermes: Tokenizer) -> None:
    """What might have become a stop string is content when the answer has ended."""
    answer = hear(hermes, replace(ONCE, stop="요.!"), ids_of(hermes, f"잠시만요.{HERMES}끝"))

    assert (answer.content, answer.done.reason, answer.done.stop) == ("잠시만요.", "tool_calls", None)


def test_what_cannot_be_read_is_not_the_only_call(hermes: Tokenizer) -> None:
    """The answer goes on to one that can."""
    answer = hear(hermes, ONCE, ids_of(hermes, f"<tool_call>흠</tool_call>{HERMES}끝"))

    assert (len(answer.calls), answer.warnings, answer.done.reason) == (1, [UNREADABLE], "tool_calls")


@pytest.mark.parametrize("parser", ["json_tools", "mistral"])
def test_resumed_anywhere_the_only_call_is_the_same(families: Families, parser: str) -> None:
    """With its end, also where the earlier attempt had told all of it; ids behind that are not of this answer."""
    model = families.of(parser)
    ids = ids_of(model, f"<think>흠, 서울?</think>\n\n자, {FAMILIES[parser]}{FAMILIES[parser]}")
    whole = hear(model, ONCE, ids)

    for resumed in range(1, len(whole.tokens) + 1):
        answer = hear(model, ONCE, ids, resumed=resumed)

        assert answer.tokens == whole.tokens[resumed:]
        assert (answer.done.reason, answer.done.usage) == ("tool_calls", whole.done.usage)
    with pytest.raises(Fault, match="after the generation's end"):
        hear(model, ONCE, [*ids, ids[-1]], resumed=len(whole.tokens) + 1)


def test_a_call_that_the_limit_lets_end_is_the_answers_end(hermes: Tokenizer) -> None:
    """It ended by itself, not for its length."""
    ids = ids_of(hermes, HERMES, has_end=False)

    assert hear(hermes, ONCE, ids, limit=len(ids)).done.reason == "tool_calls"


def test_an_answer_may_begin_with_whom_it_is_for(families: Families) -> None:
    """Where each part of an answer has a head, heads are in none of what is told."""
    muse = families.of("muse_spark")
    call = '<atem:function_calls><atem:invoke name="f"><atem:parameter name="a">1</atem:parameter></atem:invoke>'
    parts = ["to=self<|message|>흠.<|eom|>", "to=user<|message|>잠시만요.<|eom|>", f"{call}</atem:function_calls>"]

    answer = hear(muse, ASK, ids_of(muse, "".join(parts)))

    assert (answer.reasoning, answer.content, answer.called) == ("흠.", "잠시만요.", [("f", '{"a":1}')])
