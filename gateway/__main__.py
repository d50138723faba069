"""`python -m gateway`: reads the environment, opens the port, and turns what goes wrong into one line and a code.

Exit codes: 0 drained, 1 stopped at once by a second signal, 2 a mistake of whoever started it.
"""

import asyncio
import errno
import gc
import os
import socket
import sys
from collections.abc import Sequence

import uvloop

from shared.config import ConfigError, HelpWanted
from shared.errors import Refused

from .access.lock import Lock
from .drain import Drain
from .logs import configure_logs
from .service import serve
from .settings import Settings, read_settings

EXIT_DRAINED, EXIT_FAULT, EXIT_USAGE = 0, 1, 2
SEND_BUFFER_BYTES = 128 * 1_024  # of a socket: what a client that never reads costs the kernel


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; returns the process's exit code."""
    try:
        settings, lock = read_settings(sys.argv[1:] if argv is None else argv, os.environ)
        configure_logs(settings.log_level)
        listening = open_socket(settings.host, settings.port)
        _let_streams_be()
        with listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, lock, listening))
    except HelpWanted as text:
        sys.stdout.write(f"{text}\n")
    except (ConfigError, Refused) as mistakes:
        sys.stderr.write(f"{mistakes}\n")
        return EXIT_USAGE
    except ExceptionGroup as failures:
        refusals = failures.subgroup(Refused)  # of a Redis that came up later and can't be used
        if refusals is None:
            raise
        sys.stderr.write(f"{refusals.exceptions[0]}\n")
        return EXIT_USAGE
    except asyncio.CancelledError:
        return EXIT_FAULT
    return EXIT_DRAINED


def _let_streams_be() -> None:
    """Have the collector walk what is new, and all that there is rarely: with ten thousand streams that takes 1.5 s."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


async def _serve(settings: Settings, lock: Lock | None, listening: socket.socket) -> None:
    current = asyncio.current_task()
    assert current
    drain = Drain()
    drain.on_signals(current.cancel)
    await serve(settings, lock, listening, drain)


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        ConfigError: it can't be had.

    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        hint = "; is another gateway running? --port takes another one" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(f"--host {host} --port {port}: {error.strerror}{hint}") from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    # Head and body are written apart: held back, a body would wait for the head's acknowledgement, some 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


if __name__ == "__main__":
    sys.exit(main())
