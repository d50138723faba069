"""Which of the brokers on this machine speaks TLS: no version tells, so each is tried, with its real settings."""

import contextlib
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Final

from mlx_pool.failure import Unusable
from shared.pin import pinned_context

from .address import pick_port
from .broker import broker_config, write_private
from .certificate import Certificate

_HERE: Final = "127.0.0.1"
_WITHIN_S: Final = 5.0
_KNOCK_EVERY_S: Final = 0.02


def tls_broker_binary(certificate: Certificate, binaries: Iterable[str]) -> str:
    """Choose the first server's program that speaks TLS with this certificate; blocks for a tenth of a second for each.

    Raises:
        Unusable: there is none.

    """
    found = next((binary for binary in binaries if speaks_tls(binary, certificate)), None)
    if found is None:
        raise Unusable(
            "No broker on this machine speaks TLS (that of mlx-pool[up] is built without it): brew install valkey, or "
            "apt install redis-server, then the same line again."
        )
    return found


def speaks_tls(binary: str, certificate: Certificate) -> bool:
    """Tell whether it does: it is started for a moment, empty, on loopback and behind a password of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), pick_port(_HERE, None)
        config = folder / "valkey.conf"
        password = secrets.token_hex()
        write_private(
            config,
            broker_config(port=port, hosts=(_HERE,), password=password, folder=folder, certificate=certificate.path),
        )
        with _running(binary, config) as process:
            return _answers(process, port, certificate.pin)


@contextlib.contextmanager
def _running(binary: str, config: Path) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen(  # noqa: S603 -- a server that is installed here
        [binary, str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _answers(process: subprocess.Popen[bytes], port: int, pin: str) -> bool:
    context = pinned_context(pin)
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((_HERE, port), timeout=_WITHIN_S) as connection:
                context.wrap_socket(connection).close()
        except ssl.SSLError:
            return False
        except OSError:
            pass  # not up yet, or never
        else:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KNOCK_EVERY_S)
            return False
    return False
