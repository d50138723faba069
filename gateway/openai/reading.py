"""Reading a request's body: once, into its struct; and finding the names in it that have no effect."""

from typing import Any, TypeVar

import msgspec

from gateway.hints import ignored_in
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
    # A null is as good as nothing to every client of this API.
    given = {name: value for name, value in _object(body).items() if value is not None}
    for name in given:
        if (field := fields.get(name, _UNKNOWN)).fate == "refused":
            raise Refused("unsupported", f"`{name}` is not supported: {field.note}.", param=name)
    try:
        request = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise refusal_of(error) from error
    return request, list(ignored_in(given, kind))


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise refusal_of(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_json", f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise Refused("invalid_value", "The body is nested too deeply.") from error
