"""JSON Schemas of structs, as the project's documents show them: of what is read here, and of what is written.

msgspec's own schemas tell what its decoder takes. Of a struct that is written more is known: a field is always there,
unless its struct leaves defaults out. A reference that a field's `Meta` gives by a struct's bare name leads to it.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import UNSET
from msgspec.inspect import (
    CollectionType,
    DictType,
    Metadata,
    StructType,
    Type,
    UnionType,
    multi_type_info,
)

Schema = dict[str, Any]
_PLACES = "#"  # what a reference begins with that is none by a bare name


class Schemas(NamedTuple):
    """A schema for each type, in their order, and the structs' that these refer to, by name."""

    read: list[Schema]
    written: list[Schema]
    structs: dict[str, Schema]


def schemas_of(read: Sequence[Any], written: Sequence[Any], *, place: str) -> Schemas:
    """Describe types; `place` stands before a struct's name in references, as `#/components/schemas/`.

    What is both read and written is described as it is read.
    """
    roots, structs = msgspec.json.schema_components(
        [*read, *written], schema_hook=_anything, ref_template=f"{place}{{name}}"
    )
    assert not any("." in name for name in structs), f"two structs have the same name: {[*structs]}"
    for kind in set(_structs_in(written)) - set(_structs_in(read)):
        _describe_written(kind, structs[kind.__name__])
    for schema in structs.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
        _place_references(schema, place)
    return Schemas([*roots[: len(read)]], [*roots[len(read) :]], structs)


def _anything(kind: type) -> Schema:
    if kind is not object:
        raise NotImplementedError
    return {"description": "Anything."}


def _describe_written(kind: type[msgspec.Struct], schema: Schema) -> None:
    leaves_out = kind.__struct_config__.omit_defaults
    for field in msgspec.structs.fields(kind):
        if not (field.required or leaves_out or field.default is UNSET):
            schema["required"].append(field.encode_name)
            schema["properties"][field.encode_name].pop("default", None)  # it is never absent


def _structs_in(types: Sequence[Any]) -> Iterator[type[msgspec.Struct]]:
    seen: set[type] = set()
    ahead = [*multi_type_info(types)]
    while ahead:
        kind = ahead.pop()
        if isinstance(kind, StructType):
            if kind.cls not in seen:
                seen.add(kind.cls)
                yield kind.cls
                ahead += [field.type for field in kind.fields]
        else:
            ahead += _inside(kind)


def _inside(kind: Type) -> Sequence[Type]:
    match kind:
        case Metadata():
            return [kind.type]
        case CollectionType():
            return [kind.item_type]
        case DictType():
            return [kind.key_type, kind.value_type]
        case UnionType():
            return kind.types
        case _:
            return []


def _place_references(schema: object, place: str) -> None:
    if isinstance(schema, dict):
        told = cast("Schema", schema)
        reference = told.get("$ref")
        if isinstance(reference, str) and not reference.startswith(_PLACES):
            told["$ref"] = f"{place}{reference}"
        for value in told.values():
            _place_references(value, place)
    elif isinstance(schema, list):
        for value in cast("list[object]", schema):
            _place_references(value, place)
