"""Gathering what is known of the Redis server: INFO, CONFIG, ACL, and some looks at its clock."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from shared.connection import Broker
from shared.errors import Fault

from .server import Server

_LOOKS: Final = 12
_LOOK_EVERY_S: Final = 0.05
_SETTINGS: Final = (
    "maxmemory-policy",
    "appendonly",
    "appendfsync",
    "save",
    "stop-writes-on-bgsave-error",
    "timeout",
    "tcp-keepalive",
    "notify-keyspace-events",
    "client-output-buffer-limit",
)
_WRITES: Final = {
    "aof_last_write_status": "write of the append-only file",
    "aof_last_bgrewrite_status": "rewrite of the append-only file",
    "rdb_last_bgsave_status": "snapshot",
}


async def ask_server(broker: Broker, address: str) -> Server:
    """Ask it everything; what it denies stays unknown.

    Raises:
        Fault: it does not answer, or not even INFO.

    """
    info: dict[str, Any] = await broker.command("INFO")
    pings, offsets = await _looks(broker)
    kind = "Valkey" if "valkey_version" in info else "Redis"
    return Server(
        address=address,
        kind=kind,
        version=str(info.get(f"{kind.lower()}_version", "0.0")),
        role=str(info.get("role", "master")),
        policy=str(info.get("maxmemory_policy", "noeviction")),
        settings=await _settings(broker),
        pings_ms=pings,
        offsets_ms=offsets,
        used_bytes=_number(info, "used_memory"),
        maxmemory_bytes=_number(info, "maxmemory"),
        machine_bytes=_number(info, "total_system_memory"),
        evicted_keys=_number(info, "evicted_keys"),
        rejected_connections=_number(info, "rejected_connections"),
        aof_enabled=_number(info, "aof_enabled") == 1,
        failed_writes=tuple(what for field, what in _WRITES.items() if info.get(field, "ok") != "ok"),
        user=await _user(broker),
    )


async def _looks(broker: Broker) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """How long a round trip takes, and how far its clock is ahead of ours in the middle of each, in ms."""
    await broker.command("PING")  # the connection is made
    pings: list[float] = []
    offsets: list[float] = []
    for _ in range(_LOOKS):
        began, began_ns = time.time(), time.monotonic_ns()
        seconds, micros = await broker.command("TIME")
        took_ms = (time.monotonic_ns() - began_ns) / 1e6
        pings.append(took_ms)
        offsets.append((int(seconds) - began) * 1_000 + int(micros) / 1_000 - took_ms / 2)
        await asyncio.sleep(_LOOK_EVERY_S)
    return tuple(pings), tuple(offsets)


async def _settings(broker: Broker) -> dict[str, str] | None:
    try:
        replies = await broker.commands([("CONFIG", "GET", name) for name in _SETTINGS])
    except Fault:
        return None  # a managed Redis denies CONFIG
    return {_text(name): _text(value) for reply in replies for name, value in _pairs(reply)}


def _pairs(reply: Any) -> list[tuple[Any, Any]]:
    if isinstance(reply, Mapping):
        return list(reply.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] redis-py's callbacks decide the shape
    return list(zip(reply[::2], reply[1::2], strict=True))


async def _user(broker: Broker) -> str | None:
    try:
        return _text(await broker.command("ACL", "WHOAMI"))
    except Fault:
        return None


def _number(info: Mapping[str, Any], name: str) -> int:
    value = info.get(name, 0)
    return int(value) if isinstance(value, (int, float)) else 0


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
