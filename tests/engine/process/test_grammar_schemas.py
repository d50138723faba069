"""Answers of a JSON schema: whatever keywords it is made of, an answer that ended is valid against it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import (
    validator_for,  # pyright: ignore[reportUnknownVariableType] jsonschema is not fully typed
)

from shared.grammar import JsonObject, JsonSchema, Schema
from worker.engine.wire import Generate

if TYPE_CHECKING:
    from .conftest import Answer, Engine

NAMED = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": False}
FORMATS = ("date", "time", "date-time", "duration", "ipv4", "ipv6", "uuid", "email", "hostname", "uri")
SCHEMAS: dict[str, dict[str, Any]] = {
    "an object": NAMED,
    "any properties of a type": {"type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 3},
    "a property at least": {"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 1},
    "optional properties": {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in "abcd"},
        "required": ["c"],
        "additionalProperties": False,
    },
    "named by a pattern": {
        "type": "object",
        "patternProperties": {"^x[0-9]{1,3}$": {"type": "integer"}},
        "additionalProperties": False,
        "maxProperties": 2,
    },
    "nested": {"type": "object", "properties": {"in": {"type": "array", "items": NAMED}}, "required": ["in"]}
    | {"additionalProperties": False},
    "an enum": {"enum": ["빨강", "green", 3, None, {"a": [1]}]},
    "a constant": {"const": {"안녕": [True, "é\n"]}},
    "several types": {"type": ["integer", "null", "boolean"]},
    "few elements": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
    "no elements": {"type": "array", "maxItems": 0},
    "a tuple": {"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}], "items": False, "minItems": 2},
    "a tuple of draft 7": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "null"}],
        "additionalItems": False,
        "type": "array",
    },
    "a reference": {"$defs": {"pair": {"type": "array", "items": NAMED, "maxItems": 2}}, "$ref": "#/$defs/pair"},
    "a recursion": {
        "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}, "additionalProperties": False}},
        "type": "object",
        "$ref": "#/$defs/node",
    },
    "any of": {"anyOf": [{"type": "string", "maxLength": 3}, NAMED, {"type": "null"}]},
    "one of, told apart": {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": kind}, "n": {"type": "integer"}}, "required": ["kind"]}
            | {"additionalProperties": False}
            for kind in ("a", "b")
        ]
    },
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
            {"properties": {"a": {"maximum": 5}, "b": {"type": "null"}}, "additionalProperties": False},
        ]
    },
    "a short string": {"type": "string", "minLength": 3, "maxLength": 6},
    "a pattern": {"type": "string", "pattern": "^[A-Z]{2,4}-[0-9]+$", "maxLength": 12},
    "an unanchored pattern": {"type": "string", "pattern": "abc", "maxLength": 20},
    "a Korean pattern": {"type": "string", "pattern": "^[가-힣]{2,5}$"},
    "escapes": {"type": "string", "pattern": '^["\\\\\\n]{4}$'},
    "an integer in bounds": {"type": "integer", "minimum": -17, "exclusiveMaximum": 1_000},
    "a number in bounds": {"type": "number", "exclusiveMinimum": 0.25, "maximum": 7.5},
    "a bound of draft 4": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "integer",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 3,
    },
    "multiples": {"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 500},
    "multiples of a fraction": {"type": "number", "multipleOf": 0.25, "minimum": 0, "maximum": 9},
    "annotations": {"type": "boolean", "title": "x", "default": 3, "examples": [], "deprecated": True, "x-own": {}},
    **{f"a {name}": {"type": "string", "format": name, "maxLength": 60} for name in FORMATS},
}


def asked_for(schema: dict[str, Any], **how: Any) -> Generate:
    """A request for an answer of this schema."""
    form = JsonSchema(Schema(name="answer", schema=schema))
    return Generate(prompt="Say it.", max_tokens=160, response_format=form, **how)


@pytest.fixture(scope="module")
def answers(engine: Engine) -> dict[str, list[Answer]]:
    """What a model that knows nothing says, when it may say anything likely, anything at all, and the likeliest."""
    hows: list[dict[str, Any]] = [
        {"seed": 1},
        {"seed": 2, "temperature": 1, "top_k": 0, "top_p": 1},
        {"temperature": 0},
    ]
    said = engine.ask(*(asked_for(schema, **how) for schema in SCHEMAS.values() for how in hows))
    return {name: said[at * len(hows) : (at + 1) * len(hows)] for at, name in enumerate(SCHEMAS)}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_answer_that_ended_is_valid(answers: dict[str, list[Answer]], name: str) -> None:
    """The model has random weights: what keeps the answer in its form is the grammar alone."""
    validator: Any = validator_for(SCHEMAS[name], default=Draft202012Validator)
    ended = [answer for answer in answers[name] if answer.done.reason == "stop"]

    for answer in ended:
        checks = Draft202012Validator.FORMAT_CHECKER
        validator(SCHEMAS[name], format_checker=checks).validate(json.loads(answer.text))

    assert ended, [answer.text for answer in answers[name]]
    assert all("\ufffd" not in answer.text for answer in answers[name])


def test_blanks_are_few(answers: dict[str, list[Answer]]) -> None:
    """A model that would rather indent than answer can't: a line's end and its indentation, and on it goes."""
    texts = [answer.text for same in answers.values() for answer in same]

    assert not [text for text in texts if " " * 34 in text or "\n\n" in text]


def test_a_json_object_is_one(engine: Engine) -> None:
    """Any object, with nothing around it."""
    form = JsonObject()
    favoured = {"109": 14.0, "18": 14.0}  # } and ": else a random string goes on for ever

    said = engine.ask(
        *(
            Generate(prompt="x", seed=seed, max_tokens=200, response_format=form, logit_bias=favoured)
            for seed in range(6)
        )
    )

    ended = [json.loads(answer.text) for answer in said if answer.done.reason == "stop"]
    assert len(ended) >= 3
    assert all(isinstance(value, dict) for value in ended)
    assert all(answer.text.startswith("{") for answer in said)
