"""The compiler: what it takes, what it refuses and by which name, and that nothing makes it die or hang."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlx_lm.utils import (
    load_tokenizer,  # pyright: ignore[reportUnknownVariableType] its parameters are not typed
)

from shared.errors import Fault, Refused
from shared.grammar import Form, JsonObject, JsonSchema, Lark, Regex, Schema
from worker.engine.grammar.compiler import Compiler
from worker.engine.grammar.library import Matcher, Vocabulary, words_of
from worker.engine.text.tokenizer import Tokenizer

IDS = 49_152
END = 2


def schema(keywords: dict[str, Any]) -> Form:
    """The form of a schema."""
    return JsonSchema(Schema(name="x", schema=keywords))


def nested(levels: int) -> dict[str, Any]:
    """Objects in objects."""
    inner: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}, "required": ["a"]}
    return inner


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Tokenizer:
    """The default model's."""
    return Tokenizer(load_tokenizer(tiny_model))


@pytest.fixture(scope="module")
def compile_form(tokenizer: Tokenizer) -> Callable[[Form], Matcher]:
    """Compile, however long it takes."""
    told = threading.Event()
    serialised = tokenizer.serialised()
    compiler = Compiler(lambda: Vocabulary(serialised, size=IDS, ends={END}), told=told.set)
    compiler.settle()

    def run(form: Form) -> Matcher:
        while (matcher := compiler.matcher(form)) is None:
            assert told.wait(20)
            told.clear()
        return matcher

    return run


def allowed(matcher: Matcher) -> set[int]:
    """The ids that may be next."""
    words = np.zeros(words_of(IDS), dtype=np.uint32)
    matcher.fill(words)
    return set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")).tolist())


FIELD = "response_format.json_schema.schema"
REFUSED: dict[str, tuple[Form, str, str]] = {
    "not": (schema({"properties": {"a": {"items": {"not": {}}}}}), "unsupported", f"{FIELD}.properties.a.items.not"),
    "if": (schema({"anyOf": [{}, {"if": {}, "then": {}}]}), "unsupported", f"{FIELD}.anyOf[1].if"),
    "unique items": (schema({"type": "array", "uniqueItems": True}), "unsupported", f"{FIELD}.uniqueItems"),
    "contains": (schema({"type": "array", "contains": {}}), "unsupported", f"{FIELD}.contains"),
    "unevaluated": (schema({"unevaluatedProperties": False}), "unsupported", f"{FIELD}.unevaluatedProperties"),
    "dependencies": (schema({"dependentRequired": {"a": ["b"]}}), "unsupported", f"{FIELD}.dependentRequired"),
    "names": (schema({"type": "object", "propertyNames": {"maxLength": 1}}), "unsupported", f"{FIELD}.propertyNames"),
    "a dynamic reference": (schema({"$dynamicRef": "#x"}), "unsupported", f"{FIELD}.$dynamicRef"),
    "a format": (schema({"properties": {"not": {"format": "x"}}}), "unsupported", f"{FIELD}.properties.not.format"),
    "options that overlap": (
        schema({"$defs": {"a": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}, "$ref": "#/$defs/a"}),
        "unsupported",
        f"{FIELD}.$defs.a.oneOf",
    ),
    "the library's options": (schema({"x-guidance": {"lenient": True}}), "unsupported", f"{FIELD}.x-guidance"),
    "distinct names": (schema({"type": "object", "minProperties": 2}), "unsupported", f"{FIELD}.minProperties"),
    "multiples that explode": (
        schema({"allOf": [{"type": "integer", "multipleOf": 9_973}, {"multipleOf": 9_967}]}),
        "unsupported",
        FIELD,
    ),
    "a multiple of true": (schema({"type": "number", "multipleOf": True}), "invalid_value", FIELD),
    "a multiple of infinity": (Lark('start: %json {"multipleOf": 1e999}'), "invalid_value", "grammar.value"),
    "multiples inside Lark": (Lark('start: %json {"multipleOf": 999983}'), "unsupported", "grammar.value"),
    "no JSON inside Lark": (Lark("start: %json {nothing"), "invalid_value", "grammar.value"),
    "a keyword inside Lark": (Lark('start: %json {"not": {}}'), "unsupported", "grammar.value"),
    "another document": (schema({"$ref": "https://example.org/schema"}), "invalid_value", FIELD),
    "a reference to nothing": (schema({"$ref": "#/$defs/a"}), "invalid_value", FIELD),
    "itself": (schema({"$ref": "#"}), "invalid_value", FIELD),
    "a contradiction": (schema({"allOf": [{"type": "integer"}, {"type": "string"}]}), "invalid_value", FIELD),
    "a pattern that looks ahead": (schema({"pattern": "(?=a)b"}), "invalid_value", FIELD),
    "a pattern that explodes": (schema({"type": "string", "pattern": "^(a{1000}){1000}$"}), "invalid_value", FIELD),
    "too many optional properties": (
        schema({"type": "object", "properties": {f"p{n}": {} for n in range(1_500)}}),
        "invalid_value",
        FIELD,
    ),
    "a broken regex": (Regex("a("), "invalid_value", "grammar.value"),
    "a regex of nothing": (Regex(r"[^\s\S]"), "invalid_value", "grammar.value"),
    "no Lark": (Lark('root ::= "a"'), "invalid_value", "grammar.value"),
    "a rule that is missing": (Lark("start: other"), "invalid_value", "grammar.value"),
    "a rule of itself": (Lark("start: start"), "invalid_value", "grammar.value"),
    "thirty thousand parentheses": (Lark("start: " + "(" * 30_000), "invalid_value", "grammar.value"),
    "a rule that doubles": (
        Lark("start: r0\n" + "\n".join(f"r{n}: r{n + 1} r{n + 1}" for n in range(2_000)) + '\nr2000: "a"'),
        "invalid_value",
        "grammar.value",
    ),
}


@pytest.mark.parametrize(("form", "code", "param"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_not_be_held_to_is_refused(
    compile_form: Callable[[Form], Matcher], form: Form, code: str, param: str
) -> None:
    """Nothing is ignored, and nothing takes long: the refusal names the keyword where it is one."""
    started = time.thread_time()

    with pytest.raises(Refused) as refused:
        compile_form(form)

    assert (refused.value.code, refused.value.param) == (code, param)
    assert time.thread_time() - started < 1


LARGE: dict[str, Form] = {
    "six thousand values": schema({"enum": [f"v{n}" for n in range(6_000)]}),
    "thirty levels": schema(nested(30)),
    "a thousand references": schema(
        {"$ref": "#/$defs/a0", "$defs": {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(1_000)} | {"a1000": {}}}
    ),
    "a chain of rules": Lark("start: r0\n" + "".join(f"r{n}:r{n + 1}\n" for n in range(5_500)) + 'r5500:"a"'),
    "a billion elements": schema({"type": "array", "items": {"type": "null"}, "minItems": 10**9}),
    "a billion characters": schema({"type": "string", "minLength": 10**9}),
}


@pytest.mark.parametrize("form", LARGE.values(), ids=LARGE.keys())
def test_what_is_large_is_no_danger(compile_form: Callable[[Form], Matcher], form: Form) -> None:
    """A deep grammar overflows no stack, and a large one is compiled in time."""
    assert allowed(compile_form(form))


def test_a_matcher_is_one_text_s_own(compile_form: Callable[[Form], Matcher], tokenizer: Tokenizer) -> None:
    """A form is compiled once, and every text begins at its beginning."""
    form = Regex("yes|no")
    first = compile_form(form)
    begin = allowed(first)

    first.take(tokenizer.encode("yes")[0])

    assert first.is_over
    assert allowed(first) == {END}
    assert allowed(compile_form(form)) == begin


def test_an_end_is_allowed_where_the_text_may_end(
    compile_form: Callable[[Form], Matcher], tokenizer: Tokenizer
) -> None:
    """A number may always go on, so it is not over, but it may end behind any digit and not before the first."""
    matcher = compile_form(Regex("[0-9]+"))

    assert END not in allowed(matcher)
    matcher.take(tokenizer.encode("7")[0])

    assert not matcher.is_over
    assert END in allowed(matcher)


def test_ids_without_text_are_never_allowed(compile_form: Callable[[Form], Matcher]) -> None:
    """Special ids stand for no text, so that no free text has them."""
    free = allowed(compile_form(Regex("(.|\n)*")))

    assert len(free) > 48_000
    assert 1 not in free  # <|im_start|>


class Asker:
    """Somebody who asks for a form, for as long as anybody knows."""


def test_a_refusal_keeps_nobody_who_asked(compile_form: Callable[[Form], Matcher]) -> None:
    """What can't be compiled is asked for again and again, and remembered; whoever asked is not."""

    def ask() -> weakref.ref[Asker]:
        asker = Asker()
        with pytest.raises(Refused, match="compiled"):
            compile_form(Regex("kept("))
        return weakref.ref(asker)

    asked = [ask() for _ in range(3)]
    gc.collect()

    assert [each() for each in asked] == [None] * 3


def test_a_compiler_that_fails_costs_its_asker_an_error() -> None:
    """A form that is the first to bring a fault to light ends no engine: its streams are other people's."""

    def fail() -> Vocabulary:
        raise ZeroDivisionError

    compiler = Compiler(fail, told=lambda: None)
    compiler.settle()

    with pytest.raises(Fault, match="ZeroDivisionError") as failed:
        compiler.matcher(JsonObject())
    assert failed.value.param == "response_format"


def test_a_form_that_takes_too_long_is_refused() -> None:
    """Whatever a compiler does in its thread, who asked is told within the deadline."""
    never = threading.Event()

    def wait() -> Vocabulary:
        never.wait()
        raise AssertionError

    compiler = Compiler(wait, told=lambda: None, within_s=0)

    with pytest.raises(Refused, match="too long"):
        compiler.matcher(JsonObject())
    never.set()
