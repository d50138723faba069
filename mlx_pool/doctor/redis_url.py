"""What a Redis URL tells of where it leads."""

from typing import Final
from urllib.parse import urlsplit

_PORT: Final = 6_379


def host_and_port(url: str) -> tuple[str, int] | None:
    """Read host and port; None where it names several hosts, or none that can be read."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port or _PORT
    except ValueError:
        return None
    return None if "," in parts.netloc else (host, port)
