"""Prompts: the conversation written out as the model's template says, or ids as they are."""

import copy
from typing import Any, cast

import pytest

from shared.errors import Refused
from shared.job import Ask, Message, TemplateKwargs
from shared.tools import CalledFunction, Function, PastCall, Tool
from tests.engine.talk import AT_ONCE, WEATHER
from worker.engine.text.prompt import Prompt, hash_of, prompt_of
from worker.engine.text.tokenizer import Tokenizer

NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00 UTC


def prompt(ask: Ask, tokenizer: Tokenizer, now_ms: int = NOON_MS, vocabulary: int = 100_000) -> Prompt:
    return prompt_of(ask, tokenizer, vocabulary=vocabulary, now_ms=now_ms)


def text_of(found: Prompt, tokenizer: Tokenizer) -> str:
    detokenizer = tokenizer.detokenizer()
    for token in found.ids:
        detokenizer.add_token(token)
    detokenizer.finalize()
    return detokenizer.last_segment


def with_template(tokenizer: Tokenizer, template: str | None) -> Tokenizer:
    """The same tokenizer with another chat template."""
    wrapped = copy.deepcopy(cast("Any", tokenizer)._wrapped)
    wrapped._tokenizer.chat_template = template
    wrapped.has_chat_template = template is not None
    return Tokenizer(wrapped)


def test_a_prompt_is_one_user_message(tokenizer: Tokenizer) -> None:
    """`prompt` is the short form of a conversation of one turn, up to where the model answers."""
    short = prompt(Ask(prompt="안녕"), tokenizer)

    assert short == prompt(Ask(messages=[Message(role="user", content="안녕")]), tokenizer)
    assert text_of(short, tokenizer).endswith("<|im_start|>user\n안녕<|im_end|>\n<|im_start|>assistant\n")


def test_kind_text_is_not_templated(tokenizer: Tokenizer) -> None:
    """A text is gone on with as it is."""
    plain = prompt(Ask(prompt="Once upon", kind="text"), tokenizer)

    assert (text_of(plain, tokenizer), plain.is_templated) == ("Once upon", False)


def test_ids_are_taken_as_they_are(tokenizer: Tokenizer) -> None:
    """Nothing is put before or after them."""
    assert prompt(Ask(tokens=[7, 0, 7]), tokenizer).ids == [7, 0, 7]


BEYOND = {
    "tokens": Ask(tokens=[1, 49_152]),
    "prompt": Ask(prompt="<image>", kind="text"),
    "messages": Ask(messages=[Message("user", "<image>")]),
}


@pytest.mark.parametrize("field", BEYOND)
def test_an_id_that_the_model_lacks_is_refused(tokenizer: Tokenizer, field: str) -> None:
    """It would read outside of the embedding: some tokenizers have marks that their model does not know."""
    knowing = Tokenizer(copy.deepcopy(cast("Any", tokenizer)._wrapped))
    cast("Any", knowing)._wrapped.add_tokens(["<image>"])

    with pytest.raises(Refused, match="49152") as refused:
        prompt(BEYOND[field], knowing, vocabulary=49_152)

    assert (refused.value.code, refused.value.param) == ("invalid_value", field)


def test_a_templates_clock_shows_when_the_job_was_enqueued(tokenizer: Tokenizer) -> None:
    """Every attempt has the same prompt, on whatever day and in whatever time zone it runs."""
    dated = with_template(tokenizer, "{{ strftime_now('%d %b %Y %H:%M') }}")

    assert text_of(prompt(Ask(prompt="x"), dated), tokenizer) == "01 Jan 2026 12:00"
    assert text_of(prompt(Ask(prompt="x"), dated, NOON_MS + 60_000), tokenizer) == "01 Jan 2026 12:01"


def test_template_arguments_reach_the_template(tokenizer: Tokenizer) -> None:
    """Those of the allow-list, and only those that were given."""
    asking = with_template(tokenizer, "{{ enable_thinking }} {{ reasoning_effort is defined }}")
    ask = Ask(prompt="x", template_kwargs=TemplateKwargs(enable_thinking=True))

    assert text_of(prompt(ask, asking), tokenizer) == "True False"


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('roles must take turns') }}",
        "{{ messages[5].content.x.y }}",
        "{{ messages | length // 0 }}",
        "{% macro turn() %}{{ turn() }}{% endmacro %}{{ turn() }}",
    ],
)
def test_a_conversation_that_the_template_rejects_is_refused(tokenizer: Tokenizer, template: str) -> None:
    """The template's own words reach who asked; the engine goes on."""
    with pytest.raises(Refused) as refused:
        prompt(Ask(prompt="x"), with_template(tokenizer, template))

    assert (refused.value.code, refused.value.param) == ("invalid_value", "messages")


def test_a_conversation_without_ids_is_refused(tokenizer: Tokenizer) -> None:
    """There is nothing to go on after."""
    silent = with_template(tokenizer, "{{ messages[0].content }}")

    with pytest.raises(Refused, match="no tokens") as refused:
        prompt(Ask(messages=[Message("user", "")]), silent)

    assert refused.value.param == "messages"


def test_a_model_without_a_template_takes_a_prompt_and_no_conversation(tokenizer: Tokenizer) -> None:
    """A base model goes on with the prompt; a conversation it has no form for is refused, not guessed."""
    base = with_template(tokenizer, None)

    assert text_of(prompt(Ask(prompt="Once"), base), tokenizer) == "Once"
    with pytest.raises(Refused, match="no chat template"):
        prompt(Ask(messages=[Message(role="user", content="x")]), base)


def test_a_prompts_hash_is_the_same_everywhere() -> None:
    """Another machine's attempt compares its own with the first one's."""
    assert hash_of([1, 2, 3]) == "4636993d3e1da4e9"
    assert hash_of([1, 2, 4]) != hash_of([1, 2, 3])


FORECAST = PastCall("a1", "function", CalledFunction("get_weather", '{"city": "서울"}'))


def test_tools_and_calls_are_written_by_the_template(hermes: Tokenizer) -> None:
    """The model is told of the tools, of its calls with arguments that are objects, and of what came of them."""
    turns = [
        Message("user", "날씨?"),
        Message("assistant", tool_calls=[FORECAST]),
        Message("tool", "맑음", tool_call_id="a1"),
    ]

    written = text_of(prompt(Ask(messages=turns, tools=[WEATHER], template_kwargs=AT_ONCE), hermes), hermes)

    assert '"name": "get_weather"' in written.partition("user")[0]
    assert '<tool_call>\n{"name": "get_weather", "arguments": {"city": "서울"}}\n</tool_call>' in written
    assert "<|im_start|>tool\n맑음<|im_end|>" in written


def test_the_choice_of_none_leaves_the_tools_out(hermes: Tokenizer) -> None:
    """A model that is not to call is not told of what it could."""
    ask = Ask(prompt="x", tools=[WEATHER], tool_choice="none")

    assert prompt(ask, hermes) == prompt(Ask(prompt="x"), hermes)


def test_a_tool_without_parameters_has_none_to_give(hermes: Tokenizer) -> None:
    """Templates and parsers look for them."""
    bare = Ask(prompt="x", tools=[Tool("function", Function("now"))])

    assert '"parameters": {"type": "object", "properties": {}}' in text_of(prompt(bare, hermes), hermes)


@pytest.mark.parametrize("template", [None, "{{ messages[0].content }}"])
def test_a_model_that_knows_no_tools_refuses_them(hermes: Tokenizer, template: str | None) -> None:
    """It would answer as if there were none."""
    with pytest.raises(Refused) as refused:
        prompt(Ask(prompt="x", tools=[WEATHER]), with_template(hermes, template))

    assert (refused.value.code, refused.value.param) == ("unsupported", "tools")
