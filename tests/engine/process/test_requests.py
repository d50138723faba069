"""What is refused, what is counted, and how an answer ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shared.job import Message
from worker.engine.wire import Error, Generate, Resume, decode_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Engine

REFUSED = {
    "temperature out of range": ({"prompt": "x", "temperature": 9}, "invalid_value", "temperature"),
    "an unknown field": ({"prompt": "x", "temprature": 1}, "unknown_field", "temprature"),
    "an empty prompt": ({"prompt": ""}, "invalid_value", "prompt"),
    "prompt and messages": (
        {"prompt": "x", "messages": [{"role": "user", "content": "x"}]},
        "invalid_value",
        "messages",
    ),
    "nothing to go on from": ({"max_tokens": 5}, "missing_field", "prompt"),
    "an id that the model lacks": ({"tokens": [60_000]}, "invalid_value", "tokens"),
    "a bias on such an id": ({"prompt": "x", "logit_bias": {"60000": 1}}, "invalid_value", "logit_bias"),
    "a resume with such an id": ({"prompt": "x", "resume": {"tokens": [60_000]}}, "invalid_value", "resume"),
    "a negative id": ({"prompt": "x", "resume": {"tokens": [-1]}}, "invalid_value", "resume"),
    "a prompt as long as the context": ({"tokens": [5] * 2_048}, "context_length_exceeded", "tokens"),
    "a conversation too long": (
        {"messages": [{"role": "user", "content": "long " * 3_000}]},
        "context_length_exceeded",
        "messages",
    ),
    "an unknown op": ({"op": "sing"}, "invalid_value", "op"),
}


@pytest.mark.parametrize(("body", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_not_be_served_is_refused_by_name(
    engine: Engine, body: dict[str, object], code: str, param: str
) -> None:
    """The reply carries the request's id and names the field."""
    engine.write(json.dumps({"op": "generate", "id": "bad", **body}).encode() + b"\n")

    refusal = engine.hear_until(lambda reply: isinstance(reply, Error))[-1]

    assert isinstance(refusal, Error)
    assert (refusal.id, refusal.code, refusal.param) == ("bad", code, param)


@pytest.mark.parametrize("line", [b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"prompt":"\xff"}', b'{"id":5,"op":"generate"}'])
def test_a_line_that_is_no_request_is_answered_and_the_engine_goes_on(engine: Engine, line: bytes) -> None:
    """Garbage on the pipe costs one reply; a stream that runs beside it is whole."""
    request = Generate(prompt="x", seed=1, max_tokens=30)
    undisturbed = engine.ask(request)[0]

    engine.write(line + b"\n")
    error = engine.hear_until(lambda reply: isinstance(reply, Error))[-1]

    assert isinstance(error, Error)
    assert error.id == ""
    assert engine.ask(request)[0].ids == undisturbed.ids


def test_a_prompt_may_fill_the_context_but_for_one_token(engine: Engine) -> None:
    """What was asked beyond the context is not refused: the answer ends where the context does."""
    answer = engine.ask(Generate(tokens=[5] * 2_036, max_tokens=500, seed=1))[0]

    assert (answer.done.reason, len(answer.ids)) == ("length", 12)


def test_the_context_can_be_made_smaller(start_engine: Callable[..., Engine]) -> None:
    """`--context` bounds prompt and completion together, and `ready` says so."""
    engine = start_engine("--context", "50")

    ready = engine.hear_ready()

    assert ready.context_tokens == 50
    assert engine.ask(Generate(tokens=[5] * 50))[0].error.code == "context_length_exceeded"
    assert len(engine.ask(Generate(tokens=[5] * 40, seed=1))[0].ids) == 10


def test_counting_generates_nothing(engine: Engine) -> None:
    """`count` tells the length of a templated prompt, also of one that is too long to be answered."""
    asked = Generate(messages=[Message(role="user", content="안녕 " * 1_000)], kind="count")

    counted = engine.ask(asked)[0]

    assert counted.tokens == []
    assert counted.done.usage.completion_tokens == 0
    assert counted.started
    assert counted.done.usage.prompt_tokens == counted.started.prompt_tokens > 2_048


def test_a_turn_does_not_end_before_min_tokens(engine: Engine) -> None:
    """The end of turn, made certain by its bias, comes exactly when it may."""
    eager = Generate(prompt="x", seed=2, logit_bias={"2": 100.0}, max_tokens=30)

    at_once, later = engine.ask(eager, replace(eager, min_tokens=9))

    assert (at_once.ids, at_once.text, at_once.done.reason) == ([2], "", "stop")
    assert (len(later.ids), later.ids[-1], later.done.reason) == (10, 2, "stop")


def test_a_biased_id_is_always_or_never_said(engine: Engine) -> None:
    """100 is as good as certain, -100 as good as impossible; and 300 ids may have one."""
    asked = Generate(prompt="x", temperature=0, repeat_penalty=1.0, max_tokens=12)
    plain = engine.ask(asked)[0].ids
    banned = {str(token): -100.0 for token in {*plain, *range(1_000, 1_280)}}

    certain, impossible = engine.ask(replace(asked, logit_bias={"700": 100.0}), replace(asked, logit_bias=banned))

    assert certain.ids == [700] * 12
    assert not {str(token) for token in impossible.ids} & {*banned}


def test_any_of_sixteen_stop_strings_ends_an_answer(engine: Engine) -> None:
    """Wherever it stands among them, and however many of the others are begun on the way."""
    asked = Generate(prompt="안녕하세요", temperature=0, max_tokens=24)
    text = engine.ask(asked)[0].text
    stops = [f"{letter}{place}never" for place, letter in enumerate(text[:15])]

    answer = engine.ask(replace(asked, stop=[*stops, text[-4:-1]]))[0]

    assert len(stops) == 15
    assert (answer.text, answer.done.reason) == (text[: text.index(text[-4:-1])], "stop")
    assert answer.done.stop == text[-4:-1]


def test_the_same_seed_draws_the_same_and_another_does_not(engine: Engine) -> None:
    """And none at all is none twice."""
    asked = Generate(prompt="x", max_tokens=12)

    one, same, other, unseeded, again = engine.ask(
        replace(asked, seed=1), replace(asked, seed=1), replace(asked, seed=2), asked, asked
    )

    assert one.ids == same.ids
    assert len({tuple(answer.ids) for answer in (one, other, unseeded, again)}) == 4


def test_what_a_resume_starts_with_is_not_counted_as_prompt(engine: Engine) -> None:
    """Usage is of the whole generation; the last attempt reports it as the only one would have."""
    answer = engine.ask(Generate(tokens=[5, 6], max_tokens=9, seed=1, resume=Resume([7, 8, 9])))[0]

    assert answer.done.usage.prompt_tokens == 2
    assert answer.done.usage.completion_tokens == 9
    assert len(answer.ids) == 6


def test_every_line_is_a_reply(engine: Engine) -> None:
    """Nothing else is ever written to the pipe."""
    engine.write(Generate(id="x", prompt="x", max_tokens=3))
    line = engine.hear()
    while b'"done"' not in line:
        decode_reply(line)
        line = engine.hear()
