"""The HTTP server: uvicorn, with the limits that it does not set itself."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from .connection import HEAD_WITHIN_S, Places, connection_in

KEEP_ALIVE_S = 30
BACKLOG = 2_048


class Server(uvicorn.Server):
    """Serves an application on sockets that are open already."""

    def __init__(self, app: ASGIApp, *, tls: ssl.SSLContext | None, places: Places, stop_within_s: int) -> None:
        self._connection_class = connection_in(places)
        self._tls = tls
        self.scheme = "https" if tls else "http"
        config = uvicorn.Config(
            app,
            http=self._connection_class,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=stop_within_s,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to `Drain`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; as uvicorn does, but for the time that a client has for its handshake: there it is a minute."""
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return self._connection_class(self.config, self.server_state, app_state={}, _loop=loop)

        within_s = HEAD_WITHIN_S if self._tls else None
        self.servers = [
            await loop.create_server(
                connection, sock=each, ssl=self._tls, ssl_handshake_timeout=within_s, backlog=BACKLOG
            )
            for each in sockets or ()
        ]
        self.started = True
