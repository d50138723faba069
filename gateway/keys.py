"""The API key: one, shared by all who may use this gateway. Where there is none, only this machine may.

The key itself is not kept: only its SHA-256, compared in constant time.
"""

import hashlib
import hmac
import ipaddress

from shared.errors import Refused


class ApiKey:
    """The door's lock."""

    def __init__(self, key: str) -> None:
        self._digest = hashlib.sha256(key.encode()).digest()

    def check(self, authorization: str | None) -> None:
        """Let a request pass by its Authorization header.

        Raises:
            Refused: invalid_api_key.

        """
        scheme, _, given = (authorization or "").partition(" ")
        digest = hashlib.sha256(given.strip().encode(errors="surrogateescape")).digest()
        if not hmac.compare_digest(digest, self._digest) or scheme.lower() != "bearer":
            raise Refused("invalid_api_key", "An API key is needed: Authorization: Bearer KEY.")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: it may resolve to anything
