"""The table of fields in docs/compatibility.md against what the gateway reads, and what Anthropic's SDK can send."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_params
from msgspec.inspect import ListType, StructType, Type, UnionType, type_info

from gateway.anthropic.reading import read_request
from gateway.anthropic.request import REFUSED, Asked
from gateway.hints import ignored_headers
from shared.errors import Refused

from .speech import HELLO

_PAGE = (Path(__file__).parents[3] / "docs" / "compatibility.md").read_text("utf-8")
_SECTION = _PAGE.partition("\n## Anthropic's messages\n")[2].partition("\n## ")[0]
_ROW = re.compile(r"^\| (`.*`) \| (\w+) \|", re.MULTILINE)
TABLE = {name: fate for names, fate in _ROW.findall(_SECTION) for name in re.findall(r"`([^`]+)`", names)}
_HEADERS = {"betas"}  # the SDK's name for the header `anthropic-beta`


def paths(kind: Type, path: str = "") -> Iterator[str]:
    """The fields of a struct, and of those inside."""
    match kind:
        case StructType():
            for field in kind.fields:
                yield f"{path}{field.encode_name}"
                yield from paths(field.type, f"{path}{field.encode_name}.")
        case UnionType():
            for each in kind.types:
                yield from paths(each, path)
        case ListType():
            yield from paths(kind.item_type, f"{path.removesuffix('.')}[].")
        case _:
            pass


def fields(fate: str) -> set[str]:
    """The table's fields with this fate."""
    return {name for name, told in TABLE.items() if told == fate}


def test_every_field_that_does_something_is_in_the_table() -> None:
    """The documentation says what the structs say."""
    assert fields("supported") == set(paths(type_info(Asked)))
    assert fields("refused") == set(REFUSED)
    assert fields("hint") | fields("supported") | fields("refused") == set(TABLE)


@pytest.mark.parametrize("params", [message_create_params.MessageCreateParamsBase, beta_params.MessageCreateParamsBase])
def test_every_field_of_the_sdk_is_in_the_table(params: type) -> None:
    """What a client can send has been thought about."""
    assert set(get_type_hints(params)) - _HEADERS <= set(TABLE)


def test_a_hint_is_taken_and_told() -> None:
    """Whoever sends it gets an answer, and learns that it had no effect."""
    hints = {name: {"a": 1} for name in fields("hint") if name.isidentifier()}
    _, ignored = read_request(msgspec.json.encode(HELLO | hints | {"brand_new": 1}), {}, Asked)

    assert set(ignored) == {*hints, "brand_new"}


def test_a_hint_inside_is_told_by_its_path() -> None:
    """Places in lists are left out: the same field of many blocks is told once."""
    text: dict[str, Any] = {"type": "text", "text": "a", "citations": []}
    thinking = {"type": "enabled", "budget_tokens": 1_024, "display": None}
    given = HELLO | {"system": [text, text], "thinking": thinking}
    _, ignored = read_request(msgspec.json.encode(given), {"anthropic-beta": "x"}, Asked)

    [(_, told)] = ignored_headers(ignored)
    assert told == b"system[].citations, thinking.budget_tokens, anthropic-beta"


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_field_is_named(name: str) -> None:
    """Ignoring it would change the answer; where it says nothing, it is nothing."""
    read_request(msgspec.json.encode(HELLO | {name: []}), {}, Asked)

    with pytest.raises(Refused, match=f"`{name}` is not supported"):
        read_request(msgspec.json.encode(HELLO | {name: ["x"]}), {}, Asked)
