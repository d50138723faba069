"""The document, and real answers held against it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.openapi.document import document_object
from tests.documents import Object, closed, errors_in, reached


class Document:
    """The document of a gateway without a lock; what is answered may have no field that it does not tell of."""

    def __init__(self) -> None:
        self.told = document_object(has_lock=False)
        self.paths: dict[str, Object] = self.told["paths"]
        self.schemas: Object = self.told["components"]["schemas"]
        bodies = [operation.get("requestBody") for _, _, operation in self.operations()]
        self.components = closed(self.told["components"], but=reached(bodies, self.told["components"]))

    def operations(self) -> Iterator[tuple[str, str, Object]]:
        """Every call: its method, its path, and what is told of it."""
        for path, operations in self.paths.items():
            for method, told in operations.items():
                yield method.upper(), path, told

    def errors_in(self, answer: httpx.Response, path: str) -> list[str]:
        """What an answer says that the document does not, or the other way round."""
        told = self.paths[path][answer.request.method.lower()]["responses"].get(str(answer.status_code))
        media = answer.headers.get("content-type", "").partition(";")[0]
        if told is None or media not in told.get("content", {"": {}}):
            return [f"{answer.status_code} {media} is not told of"]
        unknown = [name for name in answer.headers if name not in told["headers"] and name not in _PLAIN_HEADERS]
        schema: Object = told["content"][media]["schema"] if media else {}
        wrong = [error for value in values_in(answer, media) for error in errors_in(value, schema, self.components)]
        return [*(f"the header {name}" for name in unknown), *wrong]


# What HTTP servers say of any answer.
_PLAIN_HEADERS = {
    *("date", "content-type", "content-length", "transfer-encoding", "connection", "cache-control", "allow", "vary"),
    *("x-accel-buffering", "content-disposition"),
    *("content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy", "etag"),
}


def values_in(answer: httpx.Response, media: str) -> list[Any]:
    """What a schema tells of in a body: all of it, or each line or event of a stream."""
    match media:
        case "application/json":
            return [answer.json()]
        case "application/x-ndjson":
            return [json.loads(line) for line in answer.text.split("\n") if line]
        case "text/event-stream":
            blocks = [block for block in answer.text.split("\n\n") if block and not block.startswith(":")]
            return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
        case _:
            return []


@pytest.fixture(scope="session")
def document() -> Document:
    """Made once: nothing changes it."""
    return Document()
