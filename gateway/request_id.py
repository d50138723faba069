"""A request's id: the client's own where it is a decent one, else ours. It stands in logs and answers alike."""

import re
import secrets

from starlette.datastructures import Headers
from starlette.types import Scope

_PLACE = "mlx_pool.request_id"
_DECENT = re.compile(r"[A-Za-z0-9._-]{1,128}")


def note_request_id(scope: Scope) -> str:
    """Choose the id, and note it for the routes behind."""
    given = Headers(scope=scope).get("x-request-id", "")
    scope[_PLACE] = given if _DECENT.fullmatch(given) else secrets.token_hex(8)
    return scope[_PLACE]


def request_id_of(scope: Scope) -> str:
    """The id as the door noted it."""
    return scope.get(_PLACE, "")
