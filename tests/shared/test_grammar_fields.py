"""`response_format` and `grammar`: bounded at the edge, and carried through the queue as they came."""

import json
from typing import Any

import pytest

from shared.errors import Refused
from shared.grammar import JsonObject, JsonSchema, Lark, Regex
from shared.job import encode_job, parse_job

SCHEMA = {"type": "object", "properties": {"b": {"const": 1.0}, "a": {"enum": ["안녕", None]}}}


def job(**fields: Any) -> bytes:
    """A job's body."""
    return json.dumps({"prompt": "x", **fields}).encode()


def named(schema: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A schema as OpenAI's clients send it."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **fields}}


def test_a_form_is_what_the_field_says() -> None:
    """OpenAI's three kinds, of which one asks for nothing, and two more."""
    assert parse_job(job()).form is None
    assert parse_job(job(response_format={"type": "text"})).form is None
    assert parse_job(job(response_format={"type": "json_object"})).form == JsonObject()
    assert parse_job(job(grammar={"type": "regex", "value": "a+"})).form == Regex("a+")
    assert parse_job(job(grammar={"type": "lark", "value": "start: /a/"})).form == Lark("start: /a/")
    form = parse_job(job(response_format=named(SCHEMA, strict=True, description="x"))).form
    assert isinstance(form, JsonSchema)
    assert form.json_schema.schema == SCHEMA


def test_a_schema_keeps_its_order_through_the_queue() -> None:
    """Properties are generated in the order in which they were asked for."""
    once = parse_job(job(response_format=named(SCHEMA)))

    again = parse_job(encode_job(once))

    assert again == once
    assert isinstance(again.form, JsonSchema)
    assert json.dumps(again.form.json_schema.schema) == json.dumps(SCHEMA)


DEEP: dict[str, Any] = json.loads('{"items":' * 70 + "{}" + "}" * 70)
FIELD = "response_format.json_schema.schema"
BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"response_format": {}}, "missing_field", "response_format.type"),
    ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "missing_field", "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "missing_field", FIELD),
    ({"response_format": named([])}, "invalid_value", FIELD),  # pyright: ignore[reportArgumentType] it is what is wrong
    ({"response_format": named(DEEP)}, "invalid_value", FIELD),
    ({"response_format": named({"enum": ["x" * 65_536]})}, "invalid_value", FIELD),
    ({"grammar": "root ::= x"}, "invalid_value", "grammar"),
    ({"grammar": {"type": "gbnf", "value": "x"}}, "invalid_value", "grammar.type"),
    ({"grammar": {"type": "regex", "value": ""}}, "invalid_value", "grammar.value"),
    ({"grammar": {"type": "regex", "value": "a" * 4_097}}, "invalid_value", "grammar.value"),
    ({"grammar": {"type": "lark", "value": "a" * 65_537}}, "invalid_value", "grammar.value"),
    (
        {"grammar": {"type": "regex", "value": "a"}, "response_format": {"type": "json_object"}},
        "invalid_value",
        "grammar",
    ),
]


@pytest.mark.parametrize(("fields", "code", "param"), BROKEN)
def test_what_is_no_form_is_refused_by_name(fields: dict[str, Any], code: str, param: str) -> None:
    """Before anything is compiled, and before a worker sees it."""
    with pytest.raises(Refused) as refused:
        parse_job(job(**fields))

    assert (refused.value.code, refused.value.param) == (code, param)


def test_no_nesting_is_too_deep_to_be_refused() -> None:
    """A body is a mebibyte at most, all of it brackets: a refusal, and no crash."""
    body = json.dumps({"prompt": "x", "response_format": named({"a": 0})}).encode()

    for depth in (100, 3_000, 300_000):
        with pytest.raises(Refused):
            parse_job(body.replace(b"0", b"[" * depth + b"]" * depth))
