"""What an answer's text must look like, as a request says it: `response_format` is OpenAI's, `grammar` is TGI's.

Plain data with bounds; what a schema or grammar means is known to the engine only, which refuses what it can't hold to.
"""

from collections.abc import Iterator
from typing import Annotated, cast

import msgspec
from msgspec import Meta

from .errors import Refused

MAX_SCHEMA_BYTES = 1 << 16
MAX_SCHEMA_DEPTH = 64
_SCHEMA_FIELD = "response_format.json_schema.schema"


class AnyText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="text"):
    """Any text at all, as without the field."""


class JsonObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="json_object"):
    """One JSON object and nothing around it."""


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A JSON schema under its name. It is always held to: `strict` is taken from those who send it."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema: dict[str, object]
    description: Annotated[str, Meta(max_length=4_096)] | None = None
    strict: bool | None = None


class JsonSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="json_schema"):
    """One JSON value that is valid against the schema."""

    json_schema: Schema


class Regex(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="regex"):
    """Text that the whole of the regular expression matches."""

    value: Annotated[str, Meta(min_length=1, max_length=4_096)]


class Lark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="lark"):
    """Text that the Lark grammar derives from its rule `start`."""

    value: Annotated[str, Meta(min_length=1, max_length=MAX_SCHEMA_BYTES)]


ResponseFormat = AnyText | JsonObject | JsonSchema
Grammar = Regex | Lark
# What constrains an answer, whichever field it came in.
Form = JsonObject | JsonSchema | Regex | Lark


def form_of(response_format: ResponseFormat | None, grammar: Grammar | None) -> Form | None:
    """Choose the one that constrains; `Refused` where both do, and where a schema is too large or too deep."""
    if response_format is None or isinstance(response_format, AnyText):
        return grammar
    if grammar is not None:
        raise Refused("invalid_value", "Only one of `response_format` and `grammar` may constrain.", param="grammar")
    if isinstance(response_format, JsonSchema):
        _check(response_format.json_schema.schema)
    return response_format


def _check(schema: dict[str, object]) -> None:
    if any(depth > MAX_SCHEMA_DEPTH for depth in depths(schema)):
        raise Refused(
            "invalid_value", f"The schema is nested deeper than {MAX_SCHEMA_DEPTH} levels.", param=_SCHEMA_FIELD
        )
    if len(msgspec.json.encode(schema)) > MAX_SCHEMA_BYTES:
        raise Refused("invalid_value", f"The schema is larger than {MAX_SCHEMA_BYTES:,} bytes.", param=_SCHEMA_FIELD)


def depths(schema: dict[str, object]) -> Iterator[int]:
    """How deep each container lies; no recursion, since that is what is to be ruled out."""
    ahead: list[tuple[object, int]] = [(schema, 1)]
    while ahead:
        value, depth = ahead.pop()
        yield depth
        inner: list[object] = []
        if isinstance(value, dict):
            inner = [*cast("dict[str, object]", value).values()]
        elif isinstance(value, list):
            inner = cast("list[object]", value)
        ahead += [(each, depth + 1) for each in inner if isinstance(each, (dict, list))]
