"""A body that has to be a JSON object, for the APIs whose clients fill in what they don't use with nulls."""

from typing import Any

import msgspec

from shared.errors import Refused
from shared.job import refusal_of


def fields_given(body: bytes) -> dict[str, Any]:
    """The fields of a body; a null is as good as nothing.

    Raises:
        Refused: it is no JSON object.

    """
    try:
        read = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise refusal_of(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_json", f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise Refused("invalid_value", "The body is nested too deeply.") from error
    return {name: value for name, value in read.items() if value is not None}
