"""A surface's calls as OpenAPI has them: its paths, and the schemas that they refer to."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from shared.schemas import schemas_of

from .bodies import amend, body_object
from .contents import SchemaOf, contents_object
from .errors import EVERYWHERE, WITH_A_KEY, error_answers
from .headers import headers_of
from .operation import Answer, Operation, Parameter, Surface

Object = dict[str, Any]
_SCHEMAS = "#/components/schemas/"


class Described(NamedTuple):
    """Operation objects by path and method, and the schemas under their names."""

    paths: dict[str, Object]
    schemas: Object


def describe(surface: Surface) -> Described:
    """Describe all calls of a surface; its name stands before its schemas', since two may have structs of one name."""
    read, written = [*_read_by(surface)], [*_written_by(surface)]
    schemas = schemas_of(read, written, place=f"{_SCHEMAS}{surface.name}.")
    roots = dict(zip(map(id, [*read, *written]), [*schemas.read, *schemas.written], strict=True))
    for operation in surface.operations:
        if operation.body:
            amend(schemas.structs[operation.body.kind.__name__], operation.body)
    paths: dict[str, Object] = {}
    for operation in surface.operations:
        told = _operation(operation, surface, lambda kind: roots[id(kind)])
        paths.setdefault(operation.path, {})[operation.method] = told
    return Described(paths, {f"{surface.name}.{name}": schema for name, schema in schemas.structs.items()})


def _read_by(surface: Surface) -> Iterator[Any]:
    for operation in surface.operations:
        yield from (parameter.kind for parameter in operation.parameters)
        if operation.body:
            yield operation.body.kind


def _written_by(surface: Surface) -> Iterator[Any]:
    yield from (surface.envelope, *surface.also)
    for operation in surface.operations:
        for answer in operation.answers:
            yield from (kind for content in answer.contents for kind in content.kinds)


def _operation(operation: Operation, surface: Surface, schema_of: SchemaOf) -> Object:
    told: Object = {"operationId": operation.name, "tags": [surface.name], "summary": operation.summary}
    if operation.note:
        told["description"] = operation.note
    if operation.parameters:
        told["parameters"] = [_parameter(parameter, schema_of) for parameter in operation.parameters]
    if operation.body:
        told["requestBody"] = body_object(operation.body, schema_of(operation.body.kind))
    headers = ["x-request-id", *surface.headers]
    answers = {str(answer.status): _answer(answer, headers, schema_of) for answer in operation.answers}
    door = EVERYWHERE if operation.is_open else WITH_A_KEY
    told["responses"] = answers | error_answers([*operation.codes, *door], schema_of(surface.envelope), headers)
    return told | ({"security": []} if operation.is_open else {})


def _parameter(parameter: Parameter, schema_of: SchemaOf) -> Object:
    told: Object = {"name": parameter.name, "in": parameter.place, "description": parameter.note}
    if parameter.place == "path":
        told["required"] = True
    return told | {"schema": schema_of(parameter.kind)}


def _answer(answer: Answer, headers: list[str], schema_of: SchemaOf) -> Object:
    told: Object = {"description": answer.note, "headers": headers_of([*headers, *answer.headers])}
    return told | ({"content": contents_object(answer.contents, schema_of)} if answer.contents else {})
