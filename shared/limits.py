"""What every producer of a queue is bounded by: a hash in Redis, so that all gateways and scripts agree."""

import msgspec

from .connection import Broker
from .keys import Keys

_MOST = 10**12  # more is no bound any more, and times beyond all that Redis can reckon with would stop every script


class Limits(msgspec.Struct, frozen=True):
    """The limits of one queue; a missing field has the default in the scripts too (`prelude.lua`)."""

    waiting: int = 1_000  # jobs that may wait; raise it when clients would rather wait than be told to come back
    tenant_waiting: int = 16  # of one tenant, while others ask too; bulk work is not counted
    body_bytes: int = 1 << 20  # of a direct job; a gateway has its own bound
    timeout_ms: int = 300_000  # of a direct job that names none
    wait_ms: int = 86_400_000  # how long `lo`, background and direct jobs may wait for their first claim
    retention_ms: int = 600_000  # how long log and record stay after the end; a client can resume that long
    orphan_ms: int = 30_000  # how long an attached job goes on with nobody listening: a gateway died


async def read_limits(broker: Broker, model: str) -> Limits:
    """The limits in force. What somebody wrote by hand and is no number counts as little as it does for the scripts."""
    told: dict[bytes, bytes] = await broker.command("HGETALL", Keys(model).limits)
    numbers = {name: _number(told.get(name.encode())) for name in Limits.__struct_fields__}
    return Limits(**{name: number for name, number in numbers.items() if number is not None})


async def write_limits(broker: Broker, model: str, changes: dict[str, int], *, overwrite: bool = True) -> None:
    """Set limits by name; without `overwrite` only those that nobody has set. Each must be at least 1.

    Raises:
        ValueError: no such limit, or a value below its least or above what can be meant.

    """
    for name, value in changes.items():
        if name not in Limits.__struct_fields__:
            known = ", ".join(Limits.__struct_fields__)
            raise ValueError(f"{name}={value}: there is no such limit; there are {known}.")
        least = 60_000 if name == "retention_ms" else 1
        if not least <= value <= _MOST:
            raise ValueError(f"{name}={value}: it must be {least} to {_MOST}.")
    setter = "HSET" if overwrite else "HSETNX"
    await broker.commands([(setter, Keys(model).limits, name, value) for name, value in changes.items()])


def _number(data: bytes | None) -> int | None:
    try:
        return None if data is None else msgspec.convert(data.decode(errors="replace"), int, strict=False)
    except msgspec.ValidationError:
        return None
