"""What of a request has no effect: accepted, since the answer is as good without it, and told in a header."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, cast

import msgspec
from msgspec.inspect import ListType, StructType, Type, UnionType, type_info

HEADER = "x-mlx-pool-ignored"
MAX_NAMES = 32
_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")  # a client's words become a header only where they can't become two


def ignored_in(given: Mapping[str, Any], kind: type[msgspec.Struct]) -> Iterator[str]:
    """The paths of all fields that the struct does not have, places in lists left out; some come more than once."""
    yield from _of_struct(given, _struct(kind), "")


def ignored_headers(names: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """The header that lists these fields, each once; none where there is nothing to tell."""
    told = [name for name in dict.fromkeys(names) if _NAME.fullmatch(name)][:MAX_NAMES]
    return [(HEADER.encode(), ", ".join(told).encode())] if told else []


def _of_struct(given: Mapping[str, Any], struct: StructType, path: str) -> Iterator[str]:
    types = {field.encode_name: field.type for field in struct.fields}
    for name, value in given.items():
        if value is None or (struct.tag is not None and name == struct.tag_field):
            continue
        if name not in types:
            yield f"{path}{name}"
        else:
            yield from _of_value(value, types[name], f"{path}{name}")


def _of_value(value: object, kind: Type, path: str) -> Iterator[str]:
    for option in kind.types if isinstance(kind, UnionType) else (kind,):
        if isinstance(option, ListType) and isinstance(value, list):
            for each in cast("list[object]", value):
                yield from _of_value(each, option.item_type, f"{path}[]")
        elif isinstance(option, StructType) and isinstance(value, dict):
            given = cast("dict[str, Any]", value)
            if option.tag is None or given.get(str(option.tag_field)) == option.tag:
                yield from _of_struct(given, option, f"{path}.")


@cache
def _struct(kind: type[msgspec.Struct]) -> StructType:
    info = type_info(kind)
    assert isinstance(info, StructType)
    return info
