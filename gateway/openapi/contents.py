"""What an answer's body is, in the document's words.

OpenAPI 3.1 has none for a stream, so the schema of one is that of a single line or event, as OpenAPI 3.2 has it under
`itemSchema`: an event is an object of its fields, its data a text that holds JSON.
"""

from collections.abc import Callable, Sequence
from typing import Any

from .operation import BYTES, JSON, PLAIN, Content, Sse

Object = dict[str, Any]
SchemaOf = Callable[[Any], Object]
_TEXT: Object = {"type": "string"}


def contents_object(contents: Sequence[Content], schema_of: SchemaOf) -> Object:
    """The bodies that an answer may have, by media type."""
    return {content.media: {"schema": _schema(content, schema_of)} for content in contents}


def any_of(schemas: Sequence[Object]) -> Object:
    """One schema for what fits any of these, which may be alike."""
    distinct = [schema for at, schema in enumerate(schemas) if schema not in schemas[:at]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _schema(content: Content, schema_of: SchemaOf) -> Object:
    if not content.kinds:
        return {BYTES: {}, PLAIN: _TEXT}.get(content.media, _TEXT)
    schema = any_of([schema_of(kind) for kind in content.kinds])
    return schema if content.sse is None else _event(content.sse, schema)


def _event(sse: Sse, schema: Object) -> Object:
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
    properties = {"event": _TEXT} if sse.has_name else {}
    properties |= {"id": _TEXT} if sse.has_id else {}
    event = {"type": "object", "required": ["data", *(["event"] if sse.has_name else [])]}
    if not sse.last:
        return event | {"properties": properties | {"data": data}}
    kinds = [{"properties": {"data": told}} for told in ({"const": sse.last}, data | {"pattern": r"^\{"})]
    return event | {"properties": properties, "anyOf": kinds}
