"""Whose words a client expects where two APIs share a route, and wherever an error is told."""

from starlette.types import Scope

ANTHROPIC_ROUTES = "/v1/messages"
MODELS_ROUTE = "/v1/models"
_ANTHROPIC_VERSION = b"anthropic-version"  # all of Anthropic's clients send it, and nobody else's


def is_anthropic(scope: Scope) -> bool:
    """Whether a request is of Anthropic's API: by its path, be there such a route or not; for models, by its header."""
    path = scope["path"]
    if is_below(path, MODELS_ROUTE):
        return any(name == _ANTHROPIC_VERSION for name, _ in scope["headers"])
    return is_below(path, ANTHROPIC_ROUTES)


def is_below(path: str, route: str) -> bool:
    """Whether a path is a route, or begins with it."""
    return path == route or path.startswith(f"{route}/")
