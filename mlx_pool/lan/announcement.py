"""`up`'s word to the local network, that it is there: told in a thread, since the library blocks."""

import asyncio
import contextlib
import ipaddress
import threading
from collections.abc import Callable, Mapping

from mlx_pool.terminal import clean
from mlx_pool.up.address import is_loopback

from . import bonjour


async def announce(
    name: str, host: str, port: int, *, models: str, say: Callable[[str], None], env: Mapping[str, str]
) -> None:
    """Tell of the pool's queue on this port, until cancelled; returns at once where that is not wanted or possible."""
    on = bonjour.interfaces(env)
    if on is None or (is_loopback(host) and not on):
        return
    if not bonjour.is_installed():
        say(f"other machines could find this pool by themselves, with: {bonjour.HOW_TO_INSTALL}")
        return
    loop, is_over = asyncio.get_running_loop(), threading.Event()

    def tell() -> None:
        try:
            with bonjour.telling(name, port, models, on, _addresses(host)) as told:
                loop.call_soon_threadsafe(say, f"this network is told where it is, as {clean(told)}; not its password")
                is_over.wait()
        except Exception as error:  # noqa: BLE001 -- whatever it is, a hint must not end a pool
            loop.call_soon_threadsafe(say, f"the network can't be told of this pool: {error}")

    telling = asyncio.create_task(asyncio.to_thread(tell))
    try:
        await asyncio.shield(telling)
    finally:
        is_over.set()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


def _addresses(host: str) -> list[str]:
    """Give the address that is listened on; none where that is all of them, or a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return []
    return [] if address.is_unspecified else [host]
