"""Grammars in the engine: what they hold to, what they leave alone, and what is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shared.grammar import JsonSchema, Lark, Regex, Schema
from worker.engine.wire import Cancel, Error, Generate, Resume, Stats

if TYPE_CHECKING:
    from .conftest import Engine

PHONE = Regex(r"01[016]-[0-9]{3,4}-[0-9]{4}")
SUM = Lark('start: NUMBER ("+" NUMBER){1,3} "=" NUMBER\nNUMBER: /[0-9]{1,3}/')
PERSON = JsonSchema(
    Schema(
        name="person",
        schema={
            "type": "object",
            "properties": {"name": {"type": "string", "pattern": "^[가-힣a-z]{3,8}$"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    )
)
# Every way of sampling, each with a grammar: they choose among what is allowed.
GUIDED = {
    "greedy": Generate(prompt="x", temperature=0, grammar=PHONE),
    "greedy, penalised": Generate(prompt="x", temperature=0, grammar=SUM, repeat_penalty=2.0, frequency_penalty=1.0),
    "as a chat is by default": Generate(prompt="안녕", seed=3, response_format=PERSON),
    "any token": Generate(prompt="x", seed=4, top_k=0, top_p=1.0, temperature=1.5, response_format=PERSON),
    "a nucleus": Generate(prompt="x", seed=5, top_k=0, top_p=0.9, min_p=0.01, grammar=PHONE),
    "biased": Generate(prompt="x", seed=6, logit_bias={"37": 50.0, "2": 100.0}, grammar=SUM),
    "held from ending": Generate(prompt="x", seed=7, min_tokens=50, grammar=PHONE),
    "with a stop string": Generate(prompt="x", seed=8, stop="=", grammar=SUM),
    "cut": Generate(prompt="x", seed=9, max_tokens=4, response_format=PERSON),
}
FREE = [Generate(prompt="free " * n, seed=n, max_tokens=40, temperature=0.6 * (n % 2)) for n in range(1, 6)]


def test_the_whole_answer_is_of_its_form(engine: Engine) -> None:
    """Nothing before it, nothing behind it, and it ends where it is complete, however many tokens it was to have."""
    requests = [*GUIDED.values()]

    said = dict(zip(GUIDED, engine.ask(*requests), strict=True))

    for name in ("greedy", "a nucleus", "held from ending"):
        assert re.fullmatch(PHONE.value, said[name].text), said[name].text
    for name in ("as a chat is by default", "any token"):
        assert set(json.loads(said[name].text)) == {"name", "age"}
    assert re.fullmatch(r"[0-9]+(\+[0-9]+){1,3}", said["with a stop string"].text)
    assert {name: answer.done.reason for name, answer in said.items()} == dict.fromkeys(GUIDED, "stop") | {
        "cut": "length"
    }


def test_guided_rows_are_the_same_alone_and_in_any_batch(engine: Engine) -> None:
    """Whoever shares the batch, guided or not, and the others are what they are without them."""
    requests = [*GUIDED.values(), *FREE]
    alone = [engine.ask(request)[0].ids for request in requests]

    together = engine.ask(*requests, *reversed(requests))

    assert [answer.ids for answer in together] == [*alone, *reversed(alone)]


@pytest.mark.parametrize("name", GUIDED)
def test_a_guided_generation_goes_on_behind_any_id(engine: Engine, name: str) -> None:
    """Another worker's grammar is led through what was said, and goes on in the middle of it."""
    request = GUIDED[name]
    whole = engine.ask(request)[0]
    cuts = range(len(whole.ids) + 1)

    rests = engine.ask(*(replace(request, resume=Resume(whole.ids[:cut])) for cut in cuts))

    assert [rest.ids for rest in rests] == [whole.ids[cut:] for cut in cuts]
    shown = ["".join(token.content for token in whole.tokens[:cut]) for cut in cuts]
    assert [begun + rest.text for begun, rest in zip(shown, rests, strict=True)] == [whole.text] * len(cuts)
    assert {rest.done.reason for rest in rests} == {whole.done.reason}


def test_a_resume_of_another_form_is_no_resume(engine: Engine) -> None:
    """What was said can't have been this generation: that is told, and nothing is spliced."""
    free = engine.ask(FREE[0])[0]

    rest = engine.ask(replace(GUIDED["greedy"], resume=Resume(free.ids[:3])))[0]

    assert rest.error.code == "stream_diverged"


REFUSED: dict[str, tuple[dict[str, object], str, str]] = {
    "a keyword": ({"items": {"not": {}}}, "unsupported", "response_format.json_schema.schema.items.not"),
    "no number": ({"multipleOf": True}, "invalid_value", "response_format.json_schema.schema"),
    "a nonsense": ({"type": "strin"}, "invalid_value", "response_format.json_schema.schema"),
}


@pytest.mark.parametrize(("schema", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_a_schema_that_can_not_be_held_to_is_refused(
    engine: Engine, schema: dict[str, object], code: str, param: str
) -> None:
    """It is never ignored: the reply names the keyword where it can."""
    answer = engine.ask(replace(FREE[0], response_format=JsonSchema(Schema(name="x", schema=schema))))[0]

    assert (answer.error.code, answer.error.param) == (code, param)


def test_a_prompt_is_counted_without_its_grammar(engine: Engine) -> None:
    """Nothing is generated, so nothing has a form."""
    counted = engine.ask(replace(GUIDED["greedy"], kind="count", grammar=Lark("none")))[0]

    assert counted.done.usage.completion_tokens == 0


def test_who_cancels_while_a_grammar_compiles_hears_nothing(engine: Engine) -> None:
    """A request that waits for its grammar is one like any other."""
    slow = Lark("start: " + "|".join(f'"a{n}"' for n in range(6_000)))
    engine.write(replace(FREE[0], id="gone", grammar=slow), Cancel(id="gone"))

    engine.ask(FREE[1])
    heard = engine.hear_until(lambda reply: isinstance(reply, Stats)) + engine.hear_until(
        lambda reply: isinstance(reply, Stats)
    )

    assert not [reply for reply in heard if getattr(reply, "id", "") == "gone" and not isinstance(reply, Error)]


def test_a_deeply_nested_line_costs_one_reply(engine: Engine) -> None:
    """It is no request, and the engine goes on."""
    nested = b"[" * 100_000
    engine.write(
        b'{"op":"generate","id":"deep","prompt":"x","response_format":{"type":"json_schema","json_schema":'
        b'{"name":"x","schema":{"a":' + nested + b"}}}}\n"
    )

    heard = engine.hear_until(lambda reply: isinstance(reply, Error))[-1]

    assert isinstance(heard, Error)
    assert heard.code == "invalid_json"
    assert engine.ask(FREE[0])[0].done
