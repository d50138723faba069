"""Where the pool is that a command talks to: what was asked for, else the one that `up` runs on this machine."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from .data_folder import data_folder
from .failure import Unusable
from .up.state import State, read_state

_HTTP_URL = "http://127.0.0.1:8081"


def redis_url(given: str | None, env: Mapping[str, str]) -> str:
    """Give the queue's address: the flag, else MLX_POOL_REDIS_URL, else that of this machine's `up`.

    Raises:
        Unusable: there is none of them.

    """
    found = given or known_redis_url(env)
    if found is None:
        raise Unusable("No pool runs here: start one with `mlx-pool up`, or give its queue with --redis URL.")
    return found


def known_redis_url(env: Mapping[str, str]) -> str | None:
    """Give MLX_POOL_REDIS_URL, else the address of the queue of this machine's `up`, if one runs."""
    if named := env.get("MLX_POOL_REDIS_URL"):
        return named
    state = _running(env)
    return state.redis_url if state else None


class Gateway(msgspec.Struct, frozen=True):
    """A gateway's address, and the key it asks for, if any."""

    url: str
    key: str | None


def gateway(url: str | None, key_file: Path | None, env: Mapping[str, str]) -> Gateway:
    """Give the gateway: the one asked for, else that of this machine's `up`, with its key."""
    state = _running(env)
    if url is not None or state is None:
        return Gateway(url or _HTTP_URL, _key(key_file))
    kept = Path(state.key_file) if state.key_file else None
    return Gateway(state.http_url, _key(key_file or kept))


def _key(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        key = path.read_text("utf-8", errors="replace").strip()
    except OSError as error:
        raise Unusable(f"The key file {path} can't be read: {error.strerror}.") from error
    if not key.isascii() or not key.isprintable() or len(key.split()) != 1:
        raise Unusable(f"The key file {path} holds no key: one word is wanted, and nothing beside it.")
    return key


def _running(env: Mapping[str, str]) -> State | None:
    return read_state(data_folder(None, env).state)
