"""Reading a request's body: once, into its struct; and finding the fields in it that have no effect."""

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from gateway.hints import ignored_in
from gateway.json_object import fields_given
from shared.errors import Refused
from shared.job import refusal_of

from .request import REFUSED, Prompted

P = TypeVar("P", bound=Prompted)
_BETA = "anthropic-beta"
_UNKNOWN_TYPE = re.compile(r"Invalid value '([^']*)' - at `\$\.(.*)\.type`$")


def read_request(body: bytes, headers: Mapping[str, str], kind: type[P]) -> tuple[P, list[str]]:
    """Read a body; also the names of what was given in vain.

    Raises:
        Refused: it is no JSON object, a field in it is wrong, or one that is refused here.

    """
    given = fields_given(body)
    for name, said in REFUSED.items():
        if given.get(name):
            raise Refused("unsupported", f"`{name}` is not supported: {said}.", param=name)
    try:
        request = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise _refusal_of(error, kind) from error
    return request, [*ignored_in(given, kind), *([_BETA] if _BETA in headers else [])]


def _refusal_of(error: msgspec.ValidationError, kind: type) -> Refused:
    # A block, a choice or a way to think that Anthropic knows, perhaps. The field that is wrong is the whole of it.
    if found := _UNKNOWN_TYPE.search(str(error)):
        given, path = found.groups()
        return Refused("unsupported", f"`{path}` of type {given!r} is not supported.", param=path)
    return refusal_of(error, kind)
