"""A request's body as the document has it: the struct's fields, those that have no effect, and those refused."""

from typing import Any

from .operation import Body

Object = dict[str, Any]
_NULL: Object = {"type": "null"}
_KEPT_OUTSIDE = ("default", "description")


def body_object(body: Body, schema: Object) -> Object:
    """The body with this schema."""
    return {"required": True, "content": {body.media: {"schema": schema}}}


def amend(schema: Object, body: Body) -> None:
    """Tell in a struct's schema what its request's reader does besides: with null, hints, and what it refuses."""
    properties: Object = schema["properties"]
    if body.null_is_absent:
        needed = schema["required"]
        properties |= {name: _or_null(told) for name, told in properties.items() if name not in needed}
    for name, note in body.notes.items():
        properties[name] = properties[name] | {"description": note}
    properties |= {name: {"description": _hint(note)} for name, note in body.hints.items()}
    properties |= {name: {"description": f"Refused: {note}.", **_NULL} for name, note in body.refused.items()}


def _or_null(schema: Object) -> Object:
    if _NULL in schema.get("anyOf", ()):
        return schema
    outside = {name: schema[name] for name in _KEPT_OUTSIDE if name in schema}
    inside = {name: told for name, told in schema.items() if name not in outside}
    return {"anyOf": [inside, _NULL], **outside}


def _hint(note: str) -> str:
    return f"Accepted, without an effect on the answer{f': {note}' if note else ''}."
