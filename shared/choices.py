"""What may stand where a request has something else: msgspec's refusal of a choice does not tell the others."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


def choices_at(kind: type, path: str) -> tuple[str, ...]:
    """The choices that a struct allows at a path as refusals have it (`messages[0].role`); none where it has none."""
    whole = _schema(kind)
    places = list(_options(whole, whole))
    for step in _STEP.findall(path):
        inner = [place for each in places for place in _inner(each, step)]
        places = [option for place in inner for option in _options(place, whole)]
    told = (choice for place in places for choice in place.get("enum", ()))
    return tuple(dict.fromkeys(choice for choice in told if isinstance(choice, str)))


@cache
def _schema(kind: type) -> dict[str, Any]:
    return msgspec.json.schema(kind, schema_hook=lambda _: {"title": "anything"})


def _options(place: dict[str, Any], whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a schema stands for: itself, or what it refers to or chooses among."""
    if "$ref" in place:
        yield from _options(whole["$defs"][place["$ref"].rpartition("/")[2]], whole)
    elif "anyOf" in place:
        for each in place["anyOf"]:
            yield from _options(each, whole)
    else:
        yield place


def _inner(place: dict[str, Any], step: str) -> Iterator[dict[str, Any]]:
    """The schema one step further in: of a field, or of a list's or a mapping's elements."""
    names = ("items", "additionalProperties") if step.startswith("[") else ()
    inner = [place.get(name) for name in names] or [place.get("properties", {}).get(step)]
    yield from (each for each in inner if isinstance(each, dict))
