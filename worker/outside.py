"""Where other machines reach this one, as far as it can tell by itself."""

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from shared.errors import Refused

_WILDCARDS = frozenset(("0.0.0.0", "::"))  # noqa: S104 -- recognised here, not bound
_SOMEWHERE = "192.0.2.1"  # of no network: nothing is sent there, but it tells which way leads out


def read_place(word: str) -> tuple[str, int]:
    """Take HOST or HOST:PORT apart; 0 is any free port.

    Raises:
        Refused: it is neither.

    """
    host, port = word, ""
    if word.startswith("["):
        host, _, rest = word[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else rest and "none"
    elif word.count(":") == 1:
        host, _, port = word.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and int(port) <= 65_535)):
        raise Refused("invalid_value", f"--share-models {word}: HOST or HOST:PORT is wanted.", param="share_models")
    return host, int(port or 0)


def urls_of(host: str, port: int, redis_url: str) -> tuple[str, ...]:
    """Write the urls by which others may reach what listens there, the likeliest first."""
    hosts = list(dict.fromkeys(_own_hosts(redis_url))) if host in _WILDCARDS else [host]
    return tuple(f"http://[{each}]:{port}" if ":" in each else f"http://{each}:{port}" for each in hosts)


def _own_hosts(redis_url: str) -> Iterator[str]:
    """Give the addresses of the networks by which we reach Redis and the rest of the world, and our name."""
    for there in (_host_of(redis_url), _SOMEWHERE):
        address = _address_towards(there) if there else None
        if address and not ipaddress.ip_address(address).is_loopback:
            yield address
    yield socket.gethostname()


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url.partition(",")[0]).hostname
    except ValueError:
        return None


def _address_towards(host: str) -> str | None:
    try:
        family, *_, place = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(place)  # of a datagram socket this sends nothing
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return None
