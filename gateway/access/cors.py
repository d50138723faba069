"""Which web pages may call this gateway from a browser: none, unless their origin was named."""

import re
from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

ANY = "*"
_ORIGIN = re.compile(r"https?://[^/?#@\s]+")
_EXPOSED = (
    "x-job-id",
    "x-request-id",
    "request-id",
    "location",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-mlx-pool-ignored",
    *(f"x-ratelimit-{name}-{what}" for what in ("requests", "tokens") for name in ("limit", "remaining", "reset")),
)


def is_origin(text: str) -> bool:
    """Whether a text is an origin as browsers send it, or stands for all."""
    return text == ANY or bool(_ORIGIN.fullmatch(text))


def behind_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let pages of these origins read the answers. Their browsers' questions before a request need no key."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),  # clients send many of their own; the key among them is what is checked
        expose_headers=_EXPOSED,
    )
