"""What is wrong with a schema before it is compiled: what would be obeyed by halves, or take a machine's memory."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple, TypeGuard, cast

from shared.errors import Refused

SCHEMA_FIELD = "response_format.json_schema.schema"
# The automaton of a remainder has as many states as the number has remainders, and `allOf` multiplies.
_LARGEST_MULTIPLE = 10_000
# The library's own options, which would loosen what a schema says.
_OPTIONS = "x-guidance"
# Below these stand names that the schema's author chose, and no keywords.
_NAMES = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_INLINE = re.compile(r"%json\s*")


class _Place(NamedTuple):
    path: str
    keywords: Mapping[str, object]


def check_schema(schema: Mapping[str, object]) -> None:
    """Raise `Refused` for what the compiler would take and not hold to, or not survive."""
    if _OPTIONS in schema:
        raise _unsupported(_OPTIONS, f"{SCHEMA_FIELD}.{_OPTIONS}")
    for path, keywords in _places(schema):
        if _needs_distinct_names(keywords):
            said = "`minProperties` is supported up to one more than there are `required` properties."
            raise Refused("unsupported", said, param=f"{path}.minProperties")
    _check_multiples(schema, SCHEMA_FIELD)


def check_inline_schemas(lark: str) -> None:
    """Raise `Refused` for what a Lark grammar's `%json` must not hold."""
    for begin in _INLINE.finditer(lark):
        try:
            schema, _ = json.JSONDecoder().raw_decode(lark, begin.end())
        except (ValueError, RecursionError) as error:
            raise Refused(
                "invalid_value", f"`%json` is followed by no JSON: {error}.", param="grammar.value"
            ) from error
        _check_multiples(schema, "grammar.value")


def place_of(schema: Mapping[str, object], keyword: str) -> str:
    """The path of the first schema that has this keyword, for who has to complain of it."""
    found = (f"{path}.{keyword}" for path, keywords in _places(schema) if keyword in keywords)
    return next(found, SCHEMA_FIELD)


def _needs_distinct_names(keywords: Mapping[str, object]) -> bool:
    """Whether names that the schema does not list would have to differ, which the compiler does not see to."""
    least, required = keywords.get("minProperties"), keywords.get("required")
    listed = len(cast("list[object]", required)) if isinstance(required, list) else 0
    return isinstance(least, (int, float)) and least > listed + 1


def _check_multiples(schema: object, field: str) -> None:
    values = [keywords.get("multipleOf") for _, keywords in _places(schema)]
    numbers = [Fraction(str(value)) for value in values if _is_number(value) and value > 0]
    if math.lcm(*(number.numerator for number in numbers)) > _LARGEST_MULTIPLE:
        said = f"`multipleOf` is supported while all of a schema have a common multiple up to {_LARGEST_MULTIPLE:,}."
        raise Refused("unsupported", said, param=field)


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether the compiler takes it for one: Python counts `true` among them, and its JSON has infinities."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _places(schema: object) -> Iterator[_Place]:
    """All objects that may be schemas, outer ones first: a `$ref` can make one of anything."""
    ahead: list[tuple[str, object, bool]] = [(SCHEMA_FIELD, schema, False)]
    while ahead:
        path, value, has_names = ahead.pop()
        if isinstance(value, dict):
            inner = cast("dict[str, object]", value)
            if not has_names:
                yield _Place(path, inner)
            ahead += [(f"{path}.{name}", each, not has_names and name in _NAMES) for name, each in inner.items()][::-1]
        elif isinstance(value, list):
            ahead += [(f"{path}[{at}]", each, False) for at, each in enumerate(cast("list[object]", value))][::-1]


def _unsupported(keyword: str, path: str) -> Refused:
    return Refused("unsupported", f"The schema's keyword `{keyword}` is not supported.", param=path)
