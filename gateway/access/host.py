"""By which names a gateway may be called: the Host header, checked.

A page in somebody's browser can point a name of its own at 127.0.0.1 and then talk to what listens there as if that
were its own site; only the Host header tells. Where a key is asked for, such a page lacks it.
"""

import ipaddress
import re
from collections.abc import Sequence

from gateway.caller import Header
from shared.errors import Refused

_PATTERN = re.compile(r"\*|(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?")


class Hosts:
    """The names to listen to, loopback's always among them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(name.lower() for name in names if not name.startswith("*"))
        self._endings = tuple(name.lower()[1:] for name in names if name.startswith("*"))

    def check(self, headers: Sequence[Header]) -> None:
        """Let a request pass by its Host header; one without any was sent by no browser.

        Raises:
            Refused: host_not_allowed.

        """
        for name, value in headers:
            if name == b"host" and not self._accepts(value.decode("latin-1").lower()):
                raise Refused("host_not_allowed", "This gateway is not to be called by this name (Host header).")

    def _accepts(self, value: str) -> bool:
        found = _HOST.fullmatch(value)
        host = found[1].strip("[]").removesuffix(".") if found else ""
        return bool(host) and (host in self._names or is_loopback(host) or host.endswith(self._endings))


def hosts_of(allowed: Sequence[str], *, address: str, has_lock: bool) -> Hosts | None:
    """The names that a gateway on this address listens to; None: all."""
    if allowed:
        return None if "*" in allowed else Hosts(allowed)
    return Hosts(()) if is_loopback(address) and not has_lock else None


def is_host_pattern(text: str) -> bool:
    """Whether a text is a host's name or address, `*.` and the end of one, or `*` for all."""
    return bool(_PATTERN.fullmatch(text))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: it may resolve to anything
