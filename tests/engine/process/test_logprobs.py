"""Logprobs in the engine: one entry an id, with every way to ask, and the same in whatever attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shared.grammar import Regex
from worker.engine.wire import Generate, Resume

if TYPE_CHECKING:
    from shared.event import TokenLogprob

    from .conftest import Answer, Engine

END = 2  # the id that ends a turn
# Of random weights nothing is text; held to it, they say Korean and emoji in ids of one and two bytes.
KOREAN = Regex(r"[가-힣]{6} [😀-😏]{3}👩‍🚀끝")
ASKS = {
    "greedy": Generate(prompt="안녕하세요", temperature=0, repeat_penalty=1.0),
    "as a chat is by default": Generate(prompt="안녕", seed=3),
    "penalised": Generate(prompt="x", seed=4, repeat_penalty=1.5, presence_penalty=1.0, frequency_penalty=0.5),
    "any token": Generate(prompt="x", seed=5, top_k=0, top_p=1.0, temperature=1.3),
    "ending by itself": Generate(prompt="x", seed=6, logit_bias={str(END): 25.0}, min_tokens=5),
    "of a form": Generate(prompt="x", seed=7, grammar=KOREAN),
    "plain text": Generate(prompt="once", kind="text", seed=8),
}


def entries(answer: Answer) -> list[TokenLogprob]:
    """All of them, in order."""
    return [entry for token in answer.tokens for entry in token.logprobs]


def asked(ask: Generate, *, count: int = 3) -> Generate:
    return replace(ask, logprobs=count, max_tokens=60)


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_every_id_has_its_entry(engine: Engine, ask: Generate) -> None:
    """With the reply that carries the id; only the one that ends a turn has none. The answer itself stays the same."""
    plain, told = engine.ask(replace(asked(ask), logprobs=None), asked(ask))

    assert (told.ids, told.text, told.done.reason) == (plain.ids, plain.text, plain.done.reason)
    assert entries(plain) == []
    assert [len(token.logprobs) for token in told.tokens] == [int(token != END) for token in told.ids]
    for entry in entries(told):
        values = [each.logprob for each in entry.top_logprobs]
        assert len(values) == 3
        assert 0 >= values[0] >= values[1] >= values[2] >= -9999
        assert values[0] >= entry.logprob >= -9999


def test_a_greedy_rows_ids_are_the_likeliest(engine: Engine) -> None:
    """Unless something changes the choice: what is told is before penalties and bias."""
    greedy, biased = engine.ask(asked(ASKS["greedy"]), asked(replace(ASKS["greedy"], logit_bias={"700": 100.0})))

    assert all(entry.bytes == entry.top_logprobs[0].bytes for entry in entries(greedy))
    assert not any(entry.bytes == entry.top_logprobs[0].bytes for entry in entries(biased))


def test_the_bytes_of_all_entries_are_the_text(engine: Engine) -> None:
    """Korean and emoji whose characters come in several ids: joined, nothing is missing and nothing is broken."""
    told = engine.ask(asked(ASKS["of a form"], count=0))[0]

    assert b"".join(bytes(entry.bytes) for entry in entries(told)).decode() == told.text
    assert any("\ufffd" in entry.token for entry in entries(told))
    assert not any(entry.top_logprobs for entry in entries(told))


@pytest.mark.parametrize("name", ASKS)
def test_resumed_anywhere_they_go_on(engine: Engine, name: str) -> None:
    """Entries of the new ids only; joined with what was told before they are the undisturbed run's, to the digit."""
    ask = asked(ASKS[name])
    whole = engine.ask(ask)[0]
    cuts = range(0, len(whole.ids) + 1, 7)

    rests = engine.ask(*(replace(ask, resume=Resume(whole.ids[:cut])) for cut in cuts))

    for cut, rest in zip(cuts, rests, strict=True):
        begun = [entry for token in whole.tokens[:cut] for entry in token.logprobs]
        assert rest.ids == whole.ids[cut:]
        assert [*begun, *entries(rest)] == entries(whole)


def test_ids_that_a_stop_string_cut_off_keep_theirs(engine: Engine) -> None:
    """The text is shorter than what was generated, and the entries are of what was generated."""
    whole = engine.ask(asked(ASKS["greedy"]))[0]
    stop = whole.text[len(whole.text) // 2 :][:6]

    told = engine.ask(asked(replace(ASKS["greedy"], stop=stop)))[0]

    assert told.text == whole.text[: whole.text.index(stop)]
    assert len(entries(told)) == len(told.ids)
    assert stop.encode() in b"".join(bytes(entry.bytes) for entry in entries(told))


def test_a_count_has_none(engine: Engine) -> None:
    """Nothing is generated."""
    assert engine.ask(replace(ASKS["greedy"], kind="count", logprobs=5))[0].tokens == []
