"""Gathering who could come in: gateway and Redis are knocked at, with nothing in the hand, as a stranger would."""

import contextlib
import http.client
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mlx_pool.chat_client import connection_to
from mlx_pool.data_folder import DataFolder
from mlx_pool.failure import CommandError
from mlx_pool.key_store import keys_file
from mlx_pool.up.address import in_url, is_loopback
from mlx_pool.where import Gateway

from .exposure import Answer, Door, Exposure, is_readable_by_others
from .redis_url import host_and_port

_WITHIN_S: Final = 2.0
# An address that is nobody's (RFC 5737). Nothing is sent there: it only makes the system choose the way out.
_ELSEWHERE: Final = ("192.0.2.1", 9)


def ask_doors(place: Gateway | None, redis_url: str | None, folder: DataFolder, env: Mapping[str, str]) -> Exposure:
    """Knock at all doors that are known."""
    outside = own_address()
    at = None if redis_url is None else host_and_port(redis_url)
    return Exposure(
        gateway=None if place is None else _gateway_door(place.url, outside),
        is_ready=place is not None and _status_of(place.url, "/health", place.key) == http.client.OK,
        redis=None if at is None or redis_url is None else _redis_door(redis_url, *at, outside),
        redis_is_here=at is None or is_loopback(at[0]),
        has_password=redis_url is not None and bool(urlsplit(redis_url).password),
        readable=tuple(_readable(folder, env)),
    )


def own_address() -> str | None:
    """This machine's address as others see it; None where it has no way out."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)
        address: str = probe.getsockname()[0]
        return None if is_loopback(address) else address
    return None


def _gateway_door(url: str, outside: str | None) -> Door:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    elsewhere = f"{parts.scheme}://{in_url(outside)}:{port}" if outside else None
    if not is_loopback(parts.hostname or ""):
        elsewhere = url
    return Door(
        url=url,
        is_tls=parts.scheme == "https",
        here=_gateway_answer(url),
        outside=_gateway_answer(elsewhere) if elsewhere else None,
        outside_address=elsewhere or "",
    )


def _gateway_answer(url: str) -> Answer:
    match _status_of(url, "/pool"):
        case 0:
            return "closed"
        case http.client.UNAUTHORIZED | http.client.FORBIDDEN:
            return "asks"
        case _:
            return "open"  # also where it says that Redis is away


def _status_of(url: str, path: str, key: str | None = None) -> int:
    """The status that one gets there; 0 where nobody answers."""
    try:
        with contextlib.closing(connection_to(url)) as connection:
            connection.timeout = _WITHIN_S
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            return connection.getresponse().status
    except (OSError, http.client.HTTPException, CommandError):
        return 0


def _redis_door(url: str, host: str, port: int, outside: str | None) -> Door:
    elsewhere = outside if is_loopback(host) else host
    is_tls = url.startswith("rediss:")
    answer = None if elsewhere is None or is_tls else _redis_answer(elsewhere, port)
    shown = f"{in_url(elsewhere)}:{port}" if elsewhere else ""
    return Door(url=f"{in_url(host)}:{port}", is_tls=is_tls, outside=answer, outside_address=shown)


def _redis_answer(host: str, port: int) -> Answer:
    try:
        with socket.create_connection((host, port), timeout=_WITHIN_S) as connection:
            connection.sendall(b"PING\r\n")
            said = connection.recv(64)
    except OSError:
        return "closed"
    # -DENIED is protected mode: whoever comes from outside is turned away.
    return "open" if said.startswith(b"+PONG") else "asks" if said.startswith(b"-NOAUTH") else "closed"


def _readable(folder: DataFolder, env: Mapping[str, str]) -> list[Path]:
    files = {folder.state, keys_file(folder, env), *_files_in(folder.secrets)}
    found: list[Path] = []
    for path in sorted(files):
        with contextlib.suppress(OSError):
            if is_readable_by_others(os.stat(path).st_mode):  # noqa: PTH116 -- the mode's bits
                found.append(path)
    return found


def _files_in(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [path for path in folder.iterdir() if path.is_file()]
    return []
