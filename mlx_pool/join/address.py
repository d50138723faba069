"""The pool's address: where it comes from, and whether it can be meant. The password in it is never shown."""

import getpass
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from mlx_pool.failure import Unusable

_SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
_SHAPE = "redis://:PASSWORD@HOST:PORT"
_PLACEHOLDER = "PASSWORD"
_WHERE = "Where the pool runs, `mlx-pool status --url` prints it."


def address_from(env: Mapping[str, str]) -> str:
    """Give the address from the environment, else ask the person for it, without an echo.

    Raises:
        Unusable: there is none, and nobody to ask; or it can't be meant.

    """
    url = env.get("MLX_POOL_REDIS_URL") or _asked()
    check_address(url)
    return url


def _asked() -> str:
    if not sys.stdin.isatty():
        raise Unusable(f"Which pool? `mlx-pool join {_SHAPE}`, or set MLX_POOL_REDIS_URL. {_WHERE}")
    return getpass.getpass("The pool's address, redis://… (it is not shown): ").strip()


def check_address(url: str) -> None:
    """Check that it is one.

    Raises:
        Unusable: it is none; the words say what is missing, and hold nothing of the password.

    """
    place = url.rpartition("@")[2].partition("?")[0]
    try:
        parts = urlsplit(url)
        scheme, host, password = parts.scheme, parts.hostname, parts.password
        _ = "," in parts.netloc or parts.port
    except ValueError:
        if place.partition("/")[0].endswith(":PORT"):
            raise Unusable(_placeholder("PORT")) from None
        # Not the error's own words: they may hold a part of the password, which is what could not be read.
        raise Unusable(
            f"The address can't be read: {_SHAPE} is wanted; in a password / ? # are written as %2F %3F %23."
        ) from None
    if scheme not in _SCHEMES:
        raise Unusable(f"That is no address of a pool: {_SHAPE} is wanted, or rediss://… for TLS. {_WHERE}")
    if password == _PLACEHOLDER or place.startswith("HOST"):
        raise Unusable(_placeholder(_PLACEHOLDER if password == _PLACEHOLDER else "HOST"))
    if not host:
        raise Unusable(f"The address names no machine: {_SHAPE} is wanted.")


def shown(url: str) -> str:
    """Give what of an address anybody may see: the machine, and the port if it is told."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _placeholder(word: str) -> str:
    return f"{word} stands for the pool's own. {_WHERE}"
