"""Addresses and ports to listen on: which are loopback, which are free, and how others reach them."""

import errno
import ipaddress
import socket

from mlx_pool.failure import Unusable

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- recognised here, not bound


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Tell whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_wildcard(host: str) -> bool:
    """Tell whether it stands for all addresses of a machine."""
    return host in _WILDCARDS


def local_host(host: str) -> str:
    """Give the host by which this machine itself reaches what listens on `host`."""
    return _WILDCARDS.get(host, host)


def outside_host(host: str) -> str:
    """Give the host by which other machines reach it: a wildcard address is no destination, this machine's name is."""
    return socket.gethostname() if host in _WILDCARDS else host


def in_url(host: str) -> str:
    """Write a host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def check_free(host: str, port: int, flag: str) -> None:
    """Raise `Unusable` with what to do when nothing can be opened there now."""
    try:
        _probe(host, port)
    except OSError as error:
        raise Unusable(_advice(error, host, port, flag)) from error


def pick_port(host: str, wanted: int | None) -> int:
    """Give the wanted port where it is free, else any free one; another process may still take it before we do."""
    if wanted is not None:
        try:
            return _probe(host, wanted)
        except OSError:
            pass
    return _probe(host, 0)


def _probe(host: str, port: int) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do: a port whose last connections are only timing out counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        return probe.getsockname()[1]


def _advice(error: OSError, host: str, port: int, flag: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is in use: stop what listens there, or give another one with {flag}."
        case errno.EACCES:
            return f"Port {port} may not be opened by this user: give one above 1023 with {flag}."
        case _:
            return f"{host} is no address of this machine ({error.strerror}): give one with --host."
