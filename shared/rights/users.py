"""Users of a Redis, as far as giving out rights takes: asked for, set, kept over a restart."""

from collections.abc import Sequence
from typing import Any

from shared.connection import Broker
from shared.errors import Fault

from .rules import Version


async def version_of(broker: Broker) -> Version:
    """The server's version, by which it is known what may be said to it."""
    info: dict[str, Any] = await broker.command("INFO", "server")
    major, minor = str(info.get("valkey_version") or info["redis_version"]).split(".")[:2]
    return int(major), int(minor)


async def own_name(broker: Broker) -> str:
    """The user that this very connection is."""
    name: bytes = await broker.command("ACL", "WHOAMI")
    return name.decode()


async def digests_of(broker: Broker, name: str) -> list[str]:
    """The SHA-256 digests of a user's passwords; none where there is no such user."""
    told: Sequence[Any] | None = await broker.command("ACL", "GETUSER", name)
    fields = dict(zip(told[::2], told[1::2], strict=True)) if told else {}
    return [digest.decode() for digest in fields.get(b"passwords", [])]


async def set_user(broker: Broker, name: str, passwords: Sequence[str], rules: Sequence[str]) -> None:
    """Make a user, or change one: from now on it has these rights only. Connections that it has stay open."""
    await broker.command("ACL", "SETUSER", name, "reset", "on", *passwords, *rules)


async def save_users(broker: Broker) -> bool:
    """Have the server write its users into its ACL file; whether it has one."""
    try:
        await broker.command("ACL", "SAVE")
    except Fault:
        return False
    return True
