"""Thoughts are told apart from the answer, wherever they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from shared.job import Message, TemplateKwargs
from tests.engine.talk import AT_ONCE, WEATHER, hear, ids_of
from worker.engine.text.sections import Sections
from worker.engine.text.speech import Said, Speech
from worker.engine.wire import Generate

if TYPE_CHECKING:
    from worker.engine.text.tokenizer import Tokenizer

PLAIN = Generate(prompt="왜?", template_kwargs=AT_ONCE)
THINKING = Generate(prompt="왜?", template_kwargs=TemplateKwargs(enable_thinking=True))
MARKERS = {"normal": {"<think>": "reasoning"}, "reasoning": {"</think>": "normal"}}


SAID = {
    "nothing thought": (PLAIN, "그래서.", "", "그래서."),
    "thought first": (PLAIN, "<think>\n흠.\n</think>\n\n그래서.", "흠.\n", "그래서."),
    "opened by the template": (THINKING, "흠.</think>그래서.", "흠.", "그래서."),
    "twice": (PLAIN, "<think>a</think>b<think>c</think>d", "ac", "bd"),
    "never closed": (THINKING, "흠, 그런데", "흠, 그런데", ""),
    "almost a marker": (PLAIN, "a < b, <thin", "", "a < b, <thin"),
    "closed unopened": (PLAIN, "a</think>b", "", "a</think>b"),
}


@pytest.mark.parametrize(("ask", "text", "reasoning", "content"), SAID.values(), ids=SAID.keys())
def test_thoughts_and_answer_are_told_apart(
    hermes: Tokenizer, ask: Generate, text: str, reasoning: str, content: str
) -> None:
    """Markers are in neither, nor the blanks that templates write behind them."""
    answer = hear(hermes, ask, ids_of(hermes, text))

    assert (answer.reasoning, answer.content, answer.done.reason) == (reasoning, content, "stop")


def test_a_message_that_names_the_marker_opens_nothing(hermes: Tokenizer) -> None:
    """Only the template begins an answer, whatever a user writes."""
    ask = Generate(messages=[Message("user", "<think>")], template_kwargs=AT_ONCE)

    assert hear(hermes, ask, ids_of(hermes, "그래.")).content == "그래."


def test_a_stop_string_counts_in_the_answer_only(hermes: Tokenizer) -> None:
    """Nobody who asks for a stop means the model's thoughts, or a call's arguments."""
    ask = Generate(prompt="x", stop="END", tools=[WEATHER], template_kwargs=AT_ONCE)
    call = '<tool_call>{"name": "f", "arguments": {"a": "END"}}</tool_call>'

    answer = hear(hermes, ask, ids_of(hermes, f"<think>END?</think>a{call}b END c"))

    assert (answer.reasoning, answer.content, answer.done.reason) == ("END?", "ab ", "tool_calls")


def test_a_text_that_is_gone_on_with_has_no_thoughts(hermes: Tokenizer) -> None:
    """It is no conversation, and what looks like a marker may be what it is about."""
    answer = hear(hermes, Generate(prompt="A marker:", kind="text"), ids_of(hermes, "<think>x</think>"))

    assert (answer.content, answer.reasoning) == ("<think>x</think>", "")


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    pieces=some.lists(some.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", "<", " ", "E", "ND", "x"])),
    cuts=some.lists(some.integers(1, 9), min_size=1),
)
def test_the_pieces_do_not_matter(pieces: list[str], cuts: list[int]) -> None:
    """One text says one thing, however it is cut."""
    text = "".join(pieces)

    whole, parts, single = (_said(cut) for cut in ([text], pieces, _cut(text, cuts)))

    assert whole == parts == single


def _said(pieces: list[str]) -> tuple[str, str]:
    speech, said = Speech(["END"], Sections(MARKERS, "normal")), Said()
    for piece in pieces:
        said += speech.feed(piece)
        if speech.is_stopped:
            return said.content, said.reasoning
    said += speech.finish(is_whole=True)
    return said.content, said.reasoning


def _cut(text: str, cuts: list[int]) -> list[str]:
    pieces: list[str] = []
    while text:
        size = cuts[len(pieces) % len(cuts)]
        pieces, text = [*pieces, text[:size]], text[size:]
    return pieces
