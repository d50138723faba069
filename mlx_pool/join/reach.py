"""Why a pool's Redis does not answer: found by knocking at its door, and said with what to do about it."""

import errno
import ipaddress
import socket
from typing import Final, Literal

import msgspec

from mlx_pool.doctor.redis_url import host_and_port
from mlx_pool.terminal import clean
from mlx_pool.up.address import is_loopback

_WITHIN_S: Final = 2.0

Found = Literal["no name", "refused", "no way", "silent", "open"]


class Knock(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `is_near`: the address is one of a private network, as a neighbour's is."""

    host: str
    port: int
    found: Found
    is_near: bool = False


def knock_at(url: str) -> Knock | None:
    """Try to open a connection, and send nothing; None where the address names several machines."""
    place = host_and_port(url)
    if place is None:
        return None
    host, port = place
    try:
        *_, (address, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return Knock(host=host, port=port, found="no name")
    is_near = ipaddress.ip_address(str(address).partition("%")[0]).is_private
    return Knock(host=host, port=port, found=_found(host, port), is_near=is_near)


def _found(host: str, port: int) -> Found:
    try:
        socket.create_connection((host, port), timeout=_WITHIN_S).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "silent"
    except OSError as error:
        return "no way" if error.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN} else "silent"
    return "open"


def in_words(knock: Knock, platform: str) -> str | None:
    """Say what is wrong and what to do; None where the door is open, so that the fault's own words say more."""
    host = clean(knock.host)
    told: str | None = None
    match knock.found:
        case "no name":
            told = f"There is no machine called {host}: give its IP address, or a Mac's name as NAME.local."
        case "refused" if is_loopback(knock.host):
            told = (
                f"Nothing listens on port {knock.port} of {host}, which is this machine itself: give the address of "
                "the machine where the pool runs."
            )
        case "refused":
            told = (
                f"{host} is there, but nothing listens on its port {knock.port} for others: does the pool run, and was "
                "it started by `mlx-pool up --host 0.0.0.0`? The port is in the line that it prints."
            )
        case "no way" if platform == "darwin" and knock.is_near:
            told = (
                f"macOS finds no way to {host}, which is on the local network: System Settings, Privacy & Security, "
                "Local Network: switch your terminal on, and open it anew."
            )
        case "no way":
            told = f"There is no way from here to {host}: are both machines on the same network?"
        case "silent":
            told = f"{host} does not answer on port {knock.port}: it is off or asleep, or a firewall is in between."
        case "open":
            pass
    return told
