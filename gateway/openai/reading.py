"""Reading a request's body: once, into its struct; and finding the names in it that have no effect."""

from typing import TypeVar

import msgspec

from gateway.hints import ignored_in
from gateway.json_object import fields_given
from shared.errors import Refused
from shared.job import refusal_of

from .fields import Field, Fields

R = TypeVar("R", bound=msgspec.Struct)
_UNKNOWN = Field("hint")


def read_request(body: bytes, kind: type[R], fields: Fields) -> tuple[R, list[str]]:
    """Read a body; also the paths of what was given in vain.

    Raises:
        Refused: it is no JSON object, a field in it is wrong, or one that is refused here.

    """
    given = fields_given(body)
    for name in given:
        if (field := fields.get(name, _UNKNOWN)).fate == "refused":
            raise Refused("unsupported", f"`{name}` is not supported: {field.note}.", param=name)
    try:
        request = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise refusal_of(error, kind) from error
    return request, list(ignored_in(given, kind))
