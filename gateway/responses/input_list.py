"""The conversation that a response answers, as a list in pages."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.query import choice_in
from shared.errors import Refused

from .input_item import InputItem, InputPart

MAX_PAGE = 100
DEFAULT_PAGE = 20
_PREFIXES = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}


class InputList(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="list"):
    """A page of it."""

    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


def input_list(items: Sequence[InputItem], job_id: str, params: Mapping[str, str]) -> InputList:
    """The page that is asked for by `after`, `limit` and `order`; the newest first, as OpenAI does it.

    Raises:
        Refused: one of them is wrong.

    """
    told = [_told(item, f"{job_id}_in_{at}") for at, item in enumerate(items)]
    if choice_in(params, "order", ("asc", "desc")) != "asc":
        told.reverse()
    begin = _begin(told, params.get("after"))
    page = told[begin : begin + _limit(params.get("limit"))]
    ids = [item["id"] for item in page] or [None]
    return InputList(data=page, first_id=ids[0], last_id=ids[-1], has_more=begin + len(page) < len(told))


def _begin(told: Sequence[Mapping[str, Any]], after: str | None) -> int:
    if after is None:
        return 0
    for at, item in enumerate(told):
        if item["id"] == after:
            return at + 1
    raise Refused("invalid_value", "`after` is the id of an item of this list.", param="after")


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_PAGE
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= MAX_PAGE):
        raise Refused("invalid_value", f"`limit` is 1 … {MAX_PAGE}.", param="limit")
    return int(given)


def _told(item: InputItem, place: str) -> dict[str, Any]:
    """An item as a response's clients know it."""
    told: dict[str, Any] = {"type": item.type, "id": item.id or _PREFIXES.get(item.type, "item_") + place}
    match item.type:
        case "message":
            kind = "output_text" if item.role == "assistant" else "input_text"
            return told | {"role": item.role, "status": "completed", "content": _parts(item.content, kind)}
        case "function_call":
            called = {"call_id": item.call_id, "name": item.name, "arguments": item.arguments}
            return told | called | {"status": "completed"}
        case "function_call_output":
            output = item.output if isinstance(item.output, str) else _parts(item.output, "input_text")
            return told | {"call_id": item.call_id, "output": output, "status": "completed"}
        case _:
            return told | {"summary": item.summary or []}


def _parts(content: str | Sequence[InputPart] | None, kind: str) -> list[dict[str, Any]]:
    parts = [InputPart(kind, content)] if isinstance(content, str) else content or ()
    return [_part(part) for part in parts]


def _part(part: InputPart) -> dict[str, Any]:
    if part.refusal is not None:
        return {"type": part.type, "refusal": part.refusal}
    told: dict[str, Any] = {"type": part.type, "text": part.text}
    return told | {"annotations": part.annotations or []} if part.type == "output_text" else told
