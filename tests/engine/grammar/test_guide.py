"""The guide: thoughts are free, the answer is not."""

from pathlib import Path

import numpy as np
import pytest
from mlx_lm.utils import (
    load_tokenizer,  # pyright: ignore[reportUnknownVariableType] its parameters are not typed
)

from shared.grammar import Lark, Regex
from worker.engine.grammar.guide import Guide, Thinking, thinking_after
from worker.engine.grammar.library import Matcher, Vocabulary, words_of
from worker.engine.text.tokenizer import Tokenizer

IDS = 49_152
END = 2
OPEN, CLOSE = (5, 6), (7, 8, 7)


@pytest.fixture(scope="module")
def vocabulary(tiny_model: Path) -> Vocabulary:
    """The default model's."""
    return Vocabulary(Tokenizer(load_tokenizer(tiny_model)).serialised(), size=IDS, ends={END})


def guide_of(vocabulary: Vocabulary, thinking: Thinking | None, grammar: Regex | Lark | None = None) -> Guide:
    """A guide on one digit."""
    matcher = Matcher.compiled(vocabulary, grammar or Regex("[0-9]"))
    free = np.full(words_of(IDS), np.iinfo(np.uint32).max, dtype=np.uint32)
    free[0] &= ~np.uint32(1 << END)
    return Guide(matcher, field="grammar.value", free=free, thinking=thinking)


def allowed(guide: Guide) -> set[int]:
    """The ids that may be next."""
    words = np.zeros(words_of(IDS), dtype=np.uint32)
    guide.allow(words)
    return set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())


def test_thoughts_that_a_prompt_opened_are_free_until_closed(vocabulary: Vocabulary) -> None:
    """Every id may come but the turn's end; then the answer begins at its beginning."""
    answer = allowed(guide_of(vocabulary, None))
    guide = guide_of(vocabulary, Thinking(OPEN, CLOSE, is_open=True))

    for token in (500, 7, 8, 9, 7, 8):
        guide.advance(token)
        assert len(allowed(guide)) == IDS - 1
        assert END not in allowed(guide)
    guide.advance(7)

    assert allowed(guide) == answer
    assert not guide.is_over


def test_a_model_may_open_its_thoughts_itself(vocabulary: Vocabulary) -> None:
    """In place of the answer's first id, and nowhere else; or it answers at once."""
    thinking = Thinking((5,), CLOSE, is_open=False)
    thoughtful, hasty = guide_of(vocabulary, thinking), guide_of(vocabulary, thinking)
    assert {5} < allowed(thoughtful)

    thoughtful.advance(5)
    hasty.advance(min(allowed(hasty) - {5}))

    assert len(allowed(thoughtful)) == IDS - 1
    assert hasty.is_over
    assert allowed(hasty) == {END}


BLANK = 4


def after(*prompt: int) -> Thinking | None:
    """Whether thoughts can come after these ids."""
    return thinking_after(prompt, OPEN, CLOSE, is_blank=lambda token: token == BLANK)


def test_the_prompt_s_end_tells_whether_thoughts_are_open() -> None:
    """A template opens them, or closes them unthought, or leaves it to the model."""
    assert after(1, 2, *OPEN, BLANK) == Thinking(OPEN, CLOSE, is_open=True)
    assert after(1, 2) == after() == Thinking(OPEN, CLOSE, is_open=False)
    assert after(1, *OPEN, BLANK, *CLOSE, BLANK, BLANK) is None
    assert thinking_after([1, 2], (), (), is_blank=bool) is None


def test_a_message_that_names_the_marks_opens_and_closes_nothing() -> None:
    """The answer to who asks about them is held to its form all the same."""
    assert after(1, *OPEN, 2, BLANK) == after(1, *CLOSE, 2, BLANK) == after(1, 2)


def test_a_tokenizer_may_know_ids_that_the_model_lacks(tiny_model: Path, vocabulary: Vocabulary) -> None:
    """Marks of images, in a family whose smallest model sees none: it can be held to a form all the same."""
    fewer = IDS - 320
    tokenizer = Tokenizer(load_tokenizer(tiny_model))
    small = Vocabulary(tokenizer.serialised(), size=fewer, ends={END, IDS - 1}, known=tokenizer.size)
    words = np.zeros(words_of(fewer), dtype=np.uint32)

    Matcher.compiled(small, Regex("[a-z]+")).fill(words)

    ids = set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())
    assert ids == {token for token in allowed(guide_of(vocabulary, None, Regex("[a-z]+"))) if token < fewer}
    assert small.ends == {END}


def test_a_grammar_that_stalls_everybody_is_given_up(vocabulary: Vocabulary) -> None:
    """A grammar may be ambiguous beyond measure only later on: its row ends in an error, and soon."""
    guide = guide_of(vocabulary, None, Lark('start: e\ne: e e | e e e | "a"'))
    letter = next(iter(allowed(guide)))

    for _ in range(400):
        if guide.refusal:
            break
        allowed(guide)
        guide.advance(letter)

    assert guide.refusal
    assert guide.refusal.param == "grammar.value"
    assert len(allowed(guide)) == IDS
