"""What this machine is called in the pool, by the same rule as its workers have."""

import socket
from collections.abc import Mapping

from shared.identity import host_name


def own_name(env: Mapping[str, str], given: str | None = None) -> str:
    """Give the name asked for, else MLX_POOL_NAME, else the host's own."""
    return host_name(given or env.get("MLX_POOL_NAME") or socket.gethostname())
