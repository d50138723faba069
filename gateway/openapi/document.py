"""The whole document: made when somebody first asks for it, and then kept."""

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from .headers import HEADERS
from .merge import merged
from .paths import describe
from .surfaces import SURFACES

Object = dict[str, Any]
_NOTE = """\
One endpoint in front of any number of machines that run language models with MLX.

- Of a stream (`application/x-ndjson`, `text/event-stream`) the schema is that of one line, or of one event.
- A whole number is written without a fraction: `1.0` is refused where an integer is wanted.
- Clients skip fields and events that they do not know: later versions add some.
- What is said of a field only where another one is given stands in docs/http.md and docs/compatibility.md.
"""
_SECURITY: Object = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


@cache
def document(*, has_lock: bool) -> bytes:
    """The document of a gateway that asks for keys, or that does not, as JSON."""
    return msgspec.json.encode(document_object(has_lock=has_lock))


def document_object(*, has_lock: bool) -> Object:
    """The same as an object."""
    described = [describe(surface) for surface in SURFACES]
    ways_in: list[Object] = [{name: []} for name in _SECURITY]
    return {
        "openapi": "3.1.1",
        "info": {"title": "mlx-pool", "version": version("mlx-pool"), "description": _NOTE, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "security": ways_in if has_lock else [*ways_in, {}],
        "tags": [{"name": surface.name, "description": surface.note} for surface in SURFACES],
        "paths": merged([each.paths for each in described]),
        "components": {
            "schemas": {name: schema for each in described for name, schema in each.schemas.items()},
            "headers": HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


_LICENSE: Object = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
