"""What the library says of a form that it can't compile, as a refusal that names the request's field or keyword."""

import json
import re
from typing import Literal

from shared.errors import Refused
from shared.grammar import Form, JsonObject, JsonSchema

from .calls import HeldCalls
from .schema import SCHEMA_FIELD, place_of

_UNSUPPORTED = re.compile(r"Unimplemented keys: (\[.*?\])")
# What the library says begins so; then the keyword, and what to say instead: {said} is the library's rest.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("oneOf constraints are not supported", "oneOf", "`oneOf` is supported where its options exclude each other."),
    ("Unknown format: ", "format", "The `format` {said} is not supported."),
)
_MOST_CHARACTERS = 500


def field_of(form: Form) -> Literal["response_format", "response_format.json_schema.schema", "grammar.value", "tools"]:
    """The request's field that the form came in."""
    if isinstance(form, HeldCalls):
        return "tools"
    if isinstance(form, JsonSchema):
        return SCHEMA_FIELD
    return "response_format" if isinstance(form, JsonObject) else "grammar.value"


def refusal_of(form: Form, error: str) -> Refused:
    """Translate the library's message."""
    schema = form.json_schema.schema if isinstance(form, JsonSchema) else {}
    if match := _UNSUPPORTED.search(error):
        keywords: list[str] = json.loads(match.group(1))
        said = f"Not supported in a schema: {', '.join(f'`{keyword}`' for keyword in keywords)}."
        return Refused("unsupported", said, param=place_of(schema, keywords[0]) if schema else field_of(form))
    for begin, keyword, said in _KNOWN:
        if schema and error.startswith(begin):
            told = said.format(said=error.removeprefix(begin))
            return Refused("unsupported", told, param=place_of(schema, keyword))
    return Refused("invalid_value", f"It can't be compiled: {error[:_MOST_CHARACTERS]}", param=field_of(form))
