"""The models as Anthropic's clients list them: in pages."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from starlette.datastructures import QueryParams

from shared.errors import Refused

MAX_PAGE = 1_000
DEFAULT_PAGE = 20
_ACTIVE = "active"


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="model"):
    """A model. Nobody knows when it was made, which is told by the epoch's first second."""

    id: str
    display_name: str
    created_at: str = "1970-01-01T00:00:00Z"
    lifecycle: Literal["active"] = _ACTIVE


class ModelPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of them, and whether there are more in the direction that was asked for."""

    data: list[ModelInfo]
    has_more: bool
    first_id: str | None
    last_id: str | None


def model_info(name: str) -> ModelInfo:
    """A model by this name."""
    return ModelInfo(id=name, display_name=name)


def page_of(names: Sequence[str], params: QueryParams) -> ModelPage:
    """The page that is asked for by `limit`, and `after_id` or `before_id`; `lifecycle` may want none of them.

    Raises:
        Refused: one of them is wrong, or both ids are given.

    """
    if _ACTIVE not in (params.getlist("lifecycle[]") or [_ACTIVE]):
        names = ()
    limit, after, before = _limit(params.get("limit")), params.get("after_id"), params.get("before_id")
    if after is not None and before is not None:
        raise Refused("invalid_value", "Only one of `after_id` and `before_id` may be given.", param="before_id")
    if before is not None:
        end = _place(names, before, "before_id")
        begin = max(0, end - limit)
        return _page(names[begin:end], has_more=begin > 0)
    begin = 0 if after is None else _place(names, after, "after_id") + 1
    return _page(names[begin : begin + limit], has_more=begin + limit < len(names))


def _page(names: Sequence[str], *, has_more: bool) -> ModelPage:
    first, last = (names[0], names[-1]) if names else (None, None)
    return ModelPage(data=[model_info(name) for name in names], has_more=has_more, first_id=first, last_id=last)


def _place(names: Sequence[str], name: str, param: str) -> int:
    if name not in names:
        raise Refused("invalid_value", f"`{param}` is the id of a model of this list.", param=param)
    return names.index(name)


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_PAGE
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MAX_PAGE):
        raise Refused("invalid_value", f"`limit` is 1 … {MAX_PAGE:,}.", param="limit")
    return int(given)
