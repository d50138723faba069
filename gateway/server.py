"""The HTTP server: uvicorn, with the limits that it does not set itself."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Generator
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from .connection import Connection, connection_in
from .handshakes import Handshakes
from .places import Places

KEEP_ALIVE_S = 30
BACKLOG = 2_048
CLOSING_TICKS = 50  # of uvicorn's, ten a second, between two looks


class Server(uvicorn.Server):
    """Serves an application on sockets that are open already."""

    def __init__(self, app: ASGIApp, *, tls: ssl.SSLContext | None, places: Places, stop_within_s: int) -> None:
        self._connection_class = connection_in(places)
        self._places = places
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

    async def on_tick(self, counter: int) -> bool:
        """See to the connections that are to be closed, too."""
        if counter % CLOSING_TICKS == 0:
            for connection in tuple(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.bound_closing()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; as uvicorn does, but for TLS, where it would count no handshake and wait for each a minute."""
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return self._connection_class(self.config, self.server_state, app_state={}, _loop=loop)

        def has_room(handshakes: int) -> bool:
            return self._places.has_room(handshakes + len(self.server_state.connections), loop.time())

        servers = [
            Handshakes(each, self._tls, connection, has_room)
            if self._tls
            else await loop.create_server(connection, sock=each, backlog=BACKLOG)
            for each in sockets or ()
        ]
        self.servers = cast("list[asyncio.Server]", servers)  # uvicorn closes them, and waits for that: no more
        self.started = True
