"""A list in pages, as OpenAI's clients turn them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from shared.errors import Refused

from .told import BatchObject, FileObject, Page

MAX_PAGE = 100
T = TypeVar("T", bound=FileObject | BatchObject)


async def page_of(
    names: Sequence[str], find: Callable[[str], Awaitable[T | None]], params: Mapping[str, str], *, default: int
) -> Page:
    """The page that `after` and `limit` ask for, of what can still be found.

    Raises:
        Refused: one of them is wrong.

    """
    limit = _limit(params.get("limit"), default)
    found: list[T] = []
    for name in names[_begin(names, params.get("after")) :]:
        if len(found) > limit:
            break
        if (each := await find(name)) is not None:
            found.append(each)
    page = found[:limit]
    ids = [each.id for each in page] or [None]
    return Page(page, ids[0], ids[-1], len(found) > limit)


def _begin(names: Sequence[str], after: str | None) -> int:
    if after is None:
        return 0
    if after not in names:
        raise Refused("invalid_value", "`after` is the id of something in this list.", param="after")
    return names.index(after) + 1


def _limit(given: str | None, default: int) -> int:
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 6 and int(given)):
        raise Refused(
            "invalid_value", f"`limit` is a number of 1 or more; a page has at most {MAX_PAGE}.", param="limit"
        )
    return min(int(given), MAX_PAGE)
