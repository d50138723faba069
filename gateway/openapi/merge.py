"""Calls that two APIs share: one route that answers each client in its own words."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from .contents import any_of

Object = dict[str, Any]


def merged(surfaces: Iterable[dict[str, Object]]) -> dict[str, Object]:
    """The paths of all surfaces together; of a call that several have, an answer may be as any of them says."""
    paths: dict[str, Object] = {}
    for surface in surfaces:
        for path, operations in surface.items():
            known = paths.setdefault(path, {})
            for method, told in operations.items():
                known[method] = _both(known[method], told) if method in known else told
    return paths


def _both(first: Object, second: Object) -> Object:
    """The first, with what the second has besides. What both have is an answer's body, or said in the same words."""
    if "schema" in first and "schema" in second:
        return first | {"schema": any_of([first["schema"], second["schema"]])}
    return {**first, **{name: _value(first.get(name), told) for name, told in second.items()}}


def _value(first: object, second: object) -> object:
    match first, second:
        case dict(), dict():
            return _both(cast("Object", first), cast("Object", second))
        case list(), list():
            known = cast("Sequence[object]", first)
            return [*known, *(each for each in cast("Sequence[object]", second) if each not in known)]
        case None, _:
            return second
        case _:
            return first
