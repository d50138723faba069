"""A pool as it is told on the local network. Anybody there may tell anything: what comes is checked, shown clean."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mlx_pool.terminal import clean
from mlx_pool.up.address import in_url

SERVICE = "_mlx-pool._tcp.local."
_MAX_NAME = 48


class Found(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Where a pool's queue is, as somebody says."""

    name: str
    host: str  # an address: what a name leads to, anybody on the network could say as well
    port: int
    version: str = ""
    models: str = ""

    @property
    def place(self) -> str:
        """Write where it is."""
        return f"{in_url(self.host)}:{self.port}"

    @property
    def in_words(self) -> str:
        """One line for people."""
        more = [f"mlx-pool {self.version}"] if self.version else []
        return "  ".join((self.name, self.place, *more, *([self.models] if self.models else [])))


def properties(version: str, models: str) -> dict[str, str]:
    """Give what is told beside name, address and port: no key, and nothing that leads to one."""
    return {"version": version, "models": models[:200]}


def found_of(name: str, addresses: Iterable[str], port: int | None, told: Mapping[bytes, bytes | None]) -> Found | None:
    """Read what somebody told; None where it can't be meant."""
    host = _best(addresses)
    if host is None or not port:
        return None
    return Found(
        name=clean(name.removesuffix(f".{SERVICE}"))[:_MAX_NAME],
        host=host,
        port=port,
        version=_word(told.get(b"version"), 24),
        models=_word(told.get(b"models"), 200),
    )


def choose(pools: Sequence[Found], name: str) -> Found | None:
    """Find the one of this name, else the one of this number in the list as it is shown, from 1."""
    numbered = {str(number): pool for number, pool in enumerate(pools, 1)}
    return next((pool for pool in pools if pool.name == name), None) or numbered.get(name)


def _best(addresses: Iterable[str]) -> str | None:
    """Choose the address: IPv4 before IPv6, and none that needs to know through which door to go."""
    known = sorted(map(ipaddress.ip_address, addresses), key=lambda address: (address.version, str(address)))
    return next((str(address) for address in known if not (address.version == 6 and address.is_link_local)), None)


def _word(data: bytes | None, limit: int) -> str:
    return clean((data or b"").decode(errors="replace"))[:limit]
