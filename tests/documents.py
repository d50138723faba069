"""Documents of the project as schemas to hold real data against."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType] jsonschema is not fully typed

Object = dict[str, Any]
_REFERENCE = "#/components/schemas/"


def errors_in(value: object, schema: Mapping[str, Any], components: Object) -> list[str]:
    """What is wrong with a value; JSON inside of text is held to its schema, too."""
    found = _VALIDATOR({"allOf": [schema], "components": components}).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def closed(components: Object, *, but: set[str]) -> Object:
    """The same schemas, but for some, without room for a field that nothing is said of."""
    schemas = {
        name: schema if name in but or "properties" not in schema else schema | {"additionalProperties": False}
        for name, schema in components["schemas"].items()
    }
    return components | {"schemas": schemas}


def reached(start: object, components: Object) -> set[str]:
    """The names of the schemas that something refers to, over any number of steps."""
    seen: set[str] = set()
    ahead = [*references(start)]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += references(components["schemas"][name])
    return seen


def references(told: object) -> Iterator[str]:
    """The names of the schemas that something names itself."""
    if isinstance(told, dict):
        for key, value in cast("Object", told).items():
            if key == "$ref" and str(value).startswith(_REFERENCE):
                yield value.removeprefix(_REFERENCE)
            else:
                yield from references(value)
    elif isinstance(told, list):
        for each in cast("list[object]", told):
            yield from references(each)


def _inside_text(validator: Any, schema: Any, instance: object, _: object) -> Iterator[ValidationError]:
    # JSON Schema leaves it to its users to look into text.
    if isinstance(instance, str):
        try:
            held = json.loads(instance)
        except ValueError as error:
            yield ValidationError(f"no JSON: {error}")
        else:
            yield from validator.descend(held, schema)


_VALIDATOR: Any = extend(Draft202012Validator, {"contentSchema": _inside_text})  # pyright: ignore[reportUnknownVariableType] likewise
