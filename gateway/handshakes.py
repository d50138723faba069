"""TLS connections before they are any: accepted, and not yet agreed with.

The loop tells of a TLS connection once its handshake is done. Until then nobody else counts it, and a client that
connects and says nothing would cost a socket and its buffers for as long as it likes. Here each counts from its first
moment on, and has as long as a request's head.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

import structlog

from .connection import HEAD_WITHIN_S, LEAVE_WITHIN_S, spread_s

RETRY_AFTER_S = 0.1

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Handshakes:
    """Accepts on one socket, and makes a connection of whoever comes to terms in time."""

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext,
        connection: Callable[[], asyncio.Protocol],
        has_room: Callable[[int], bool],  # for one more, beside so many handshakes
    ) -> None:
        self._listening = listening
        self._tls = tls
        self._connection = connection
        self._has_room = has_room
        self._under_way = 0
        self._listening.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Accept nobody any more; handshakes that are under way end."""
        self._accepting.cancel()

    async def wait_closed(self) -> None:
        """Wait for that."""
        await asyncio.wait([self._accepting])

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as handshakes:
            while True:
                try:
                    client, _ = await loop.sock_accept(self._listening)
                except OSError:  # no file is left for it, or it has gone already
                    await asyncio.sleep(RETRY_AFTER_S)
                    continue
                if self._has_room(self._under_way):
                    self._under_way += 1
                    handshakes.create_task(self._agree(client))
                else:
                    client.close()  # there is no telling why before the handshake

    async def _agree(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        limits = {"ssl_handshake_timeout": spread_s(HEAD_WITHIN_S), "ssl_shutdown_timeout": LEAVE_WITHIN_S}
        try:
            with contextlib.suppress(OSError):  # too slow, gone, or no TLS at all
                await loop.connect_accepted_socket(self._connection, client, ssl=self._tls, **limits)
        except Exception:  # one client must not end the listening
            log.exception("handshake_crashed")
        finally:
            self._under_way -= 1
