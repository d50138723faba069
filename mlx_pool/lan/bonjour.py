"""Bonjour, by the library of the extra `lan`: telling of a pool, and looking for some. The library comes in late."""

import contextlib
import importlib.util
import time
from collections.abc import Generator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from .found import SERVICE, Found, found_of, properties

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

HOW_TO_INSTALL = "pip install 'mlx-pool[lan]'"
_ASK_WITHIN_MS = 1_000
_LOOK_EVERY_S = 0.05
_OFF = "off"


def is_installed() -> bool:
    """Tell whether the library is there."""
    return importlib.util.find_spec("zeroconf") is not None


def interfaces(env: Mapping[str, str]) -> list[str] | None:
    """Read on which of this machine's addresses to speak and hear, from MLX_POOL_LAN; None: on none.

    Empty, which is all of them, unless it names some; `off` is none.
    """
    word = env.get("MLX_POOL_LAN", "")
    return None if word == _OFF else [each.strip() for each in word.split(",") if each.strip()]


@contextlib.contextmanager
def telling(name: str, port: int, models: str, on: Sequence[str], addresses: Sequence[str]) -> Generator[str]:
    """Tell of a pool while the block lasts; gives the name under which, which is another where it is taken. Blocks.

    Raises:
        OSError: there is no network to tell it on.

    """
    from zeroconf import ServiceInfo  # noqa: PLC0415 -- it is an extra

    with _opened(on) as zeroconf:
        info = ServiceInfo(
            SERVICE,
            f"{name}.{SERVICE}",
            port=port,
            parsed_addresses=list(addresses) or _own_addresses(on),
            properties=properties(version("mlx-pool"), models),
            server=f"mlx-pool-{name}.local.",  # not the machine's own, which the system tells of by itself
        )
        zeroconf.register_service(info, allow_name_change=True)
        try:
            yield info.name.removesuffix(f".{SERVICE}")
        finally:
            zeroconf.unregister_service(info)


def look_around(on: Sequence[str], within_s: float, *, until: str | None = None) -> list[Found]:
    """Look for pools, for so long; or until one of this name is found. Blocks.

    Raises:
        OSError: there is no network to look on.

    """
    from zeroconf import ServiceBrowser  # noqa: PLC0415 -- it is an extra

    names: set[str] = set()

    def hear(zeroconf: "Zeroconf", service_type: str, name: str, state_change: "ServiceStateChange") -> None:
        del zeroconf, service_type
        (names.discard if state_change.name == "Removed" else names.add)(name)

    pools: dict[str, Found] = {}
    ends_at_s = time.monotonic() + within_s
    with _opened(on) as zeroconf:
        browser = ServiceBrowser(zeroconf, SERVICE, handlers=[hear])
        # The library calls back from a thread of its own; a person waits, so a look every so often is soon enough.
        while time.monotonic() < ends_at_s and until not in {pool.name for pool in pools.values()}:
            for name in sorted(names - pools.keys()):
                if pool := _asked(zeroconf, name):
                    pools[name] = pool
            time.sleep(_LOOK_EVERY_S)
        browser.cancel()
    return sorted(pools.values())


def _asked(zeroconf: "Zeroconf", name: str) -> Found | None:
    info = zeroconf.get_service_info(SERVICE, name, timeout=_ASK_WITHIN_MS)
    return None if info is None else found_of(name, info.parsed_addresses(), info.port, info.properties)


@contextlib.contextmanager
def _opened(on: Sequence[str]) -> "Generator[Zeroconf]":
    """Open the library's sockets; what it raises of its own is an OSError here."""
    from zeroconf import Error, InterfaceChoice, IPVersion, Zeroconf  # noqa: PLC0415 -- it is an extra

    try:
        zeroconf = Zeroconf(interfaces=list(on) or InterfaceChoice.All, ip_version=IPVersion.V4Only)
        with contextlib.closing(zeroconf):
            yield zeroconf
    except Error as error:
        raise OSError(str(error) or type(error).__name__) from error


def _own_addresses(on: Sequence[str]) -> list[str]:
    import ifaddr  # noqa: PLC0415 -- it comes with the extra

    found = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return list(on) or [address for address in found if not address.startswith("127.")]
