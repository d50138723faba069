"""Ids become whole characters."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from worker.engine.text.speech import Speech
from worker.engine.text.stream import TextStream
from worker.engine.text.tokenizer import Tokenizer

TEXTS = {
    "korean": "안녕하세요, 만나서 반갑습니다. 값싼 옷을 입었어요!",
    "emoji with joiners": "가족 👩‍👩‍👧‍👦 깃발 🏳️‍🌈 악수 🫱🏿‍🫲🏻",
    "combining marks": "é ạ̈ ひ゛ हिन्दी ไทย",
    "lines and spaces": "a\n\n   b\t c",
}


def pieces(tokenizer: Tokenizer, ids: list[int], *stops: str) -> list[str]:
    """The text after each id up to a stop string, and at the end."""
    stream = TextStream(tokenizer, Speech(stops))
    parts: list[str] = []
    for token in ids:
        parts.append(stream.feed(token).content)
        if stream.is_stopped:
            return parts
    return [*parts, stream.finish(is_whole=True).content]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_comes_through_whole(tokenizer: Tokenizer, text: str) -> None:
    """Characters of several ids appear when they are complete, and never as U+FFFD."""
    ids = tokenizer.encode(text)

    parts = pieces(tokenizer, ids)

    assert "".join(parts) == text
    assert not any("\ufffd" in part for part in parts)


def test_a_character_that_is_never_finished_is_dropped(tokenizer: Tokenizer) -> None:
    """A completion that ends in the middle of a syllable ends before it."""
    ids = tokenizer.encode("a 값")

    assert "".join(pieces(tokenizer, ids[:-1])).strip() == "a"


def test_bytes_that_are_no_text_are_not_shown(tokenizer: Tokenizer) -> None:
    """A syllable begun and broken off leaves no mark between its neighbours."""
    begun = tokenizer.encode("값")[:1]

    assert "".join(pieces(tokenizer, [*tokenizer.encode("x"), *begun, *tokenizer.encode("y")])) == "xy"


@hypothesis_settings(max_examples=200, deadline=None)
@given(ids=some.lists(some.integers(0, 60_000), max_size=20))
def test_no_ids_whatever_show_a_replacement_character(tokenizer: Tokenizer, ids: list[int]) -> None:
    """Also for ids that the tokenizer does not have, as models are padded with them."""
    assert "\ufffd" not in "".join(pieces(tokenizer, ids))


def test_a_completion_keeps_the_space_it_begins_with(tokenizer: Tokenizer) -> None:
    """A text that is gone on with is not glued to its continuation; an answer begins without a space."""
    *_, last = tokenizer.encode("The capital of France is")
    (paris,) = tokenizer.encode(" Paris")

    assert TextStream(tokenizer, Speech(()), after=last).feed(paris).content == " Paris"
    assert TextStream(tokenizer, Speech(())).feed(paris).content == "Paris"


def test_a_stop_string_is_found_across_ids(tokenizer: Tokenizer) -> None:
    """It is looked for in the text, whatever ids it came in, and text before it is shown."""
    parts = pieces(tokenizer, tokenizer.encode("하나 둘 셋 넷"), "둘 셋")

    assert "".join(parts) == "하나 "
