"""Who could reach gateway and queue from other machines, and with what key: facts, and their verdicts. No I/O."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from mlx_pool.terminal import clean

from .finding import Finding, bad, ok, warn

Answer = Literal["open", "asks", "closed"]  # without a key or a password: everything, "who are you?", nothing
_OTHERS: Final = 0o077


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """An address, and what it answers to who shows no key, on loopback and from outside; None: not looked at."""

    url: str
    is_tls: bool = False
    here: Answer | None = None
    outside: Answer | None = None
    outside_address: str = ""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What is open."""

    gateway: Door | None = None  # None: none is known on this machine
    is_ready: bool = False  # the gateway says that a job would run now
    redis: Door | None = None
    redis_is_here: bool = True
    has_password: bool = False  # we showed one
    readable: tuple[Path, ...] = ()  # secrets that other users of this machine may read


def judge_exposure(exposure: Exposure) -> Iterator[Finding]:
    """Judge all of it."""
    if exposure.gateway:
        yield from _gateway(exposure.gateway, is_ready=exposure.is_ready)
    if exposure.redis:
        yield _redis(exposure, exposure.redis)
    if exposure.readable:
        names = ", ".join(map(str, exposure.readable))
        yield bad("secrets", f"Other users of this machine may read {clean(names)}.", f"chmod 600 {clean(names)}")


def _gateway(door: Door, *, is_ready: bool) -> Iterator[Finding]:
    if door.here == "closed":
        yield warn(
            "gateway", f"No gateway answers at {clean(door.url)}.", "`mlx-pool up`, or `mlx-pool gateway`, starts one."
        )
        return
    if is_ready:
        yield ok("gateway", f"It answers at {clean(door.url)}, and a job would run now.")
    else:
        yield warn(
            "gateway",
            f"It answers at {clean(door.url)}, but no worker is ready.",
            "`mlx-pool status` shows the workers.",
        )
    outside = clean(door.outside_address)
    if door.outside == "open":
        advice = "Give out keys (`mlx-pool keys add NAME`, `gateway --api-keys-file`), or serve on 127.0.0.1."
        yield bad("exposure", f"The gateway answers anybody who reaches {outside}, without a key.", advice)
    elif door.outside == "asks" and not door.is_tls:
        advice = "On a network that others share use --tls-cert and --tls-key, or a proxy that does it."
        yield warn("exposure", f"The gateway asks for keys at {outside}, but they travel in the clear.", advice)
    elif door.outside == "asks":
        yield ok("exposure", f"The gateway asks for a key at {outside}, by TLS.")
    elif door.here == "open":
        yield ok("exposure", "The gateway needs no key, and only this machine reaches it.")
    else:
        yield ok("exposure", "Only this machine reaches the gateway, and it asks for a key.")


def _redis(exposure: Exposure, door: Door) -> Finding:
    outside = clean(door.outside_address or door.url)
    if door.outside == "open" or (not exposure.redis_is_here and not exposure.has_password):
        advice = "Set a password (requirepass, or users by `mlx-pool acl`), and put it into the URL."
        return bad("exposure", f"Redis answers anybody who reaches {outside}: all prompts and jobs are theirs.", advice)
    if (door.outside == "asks" or not exposure.redis_is_here) and not door.is_tls:
        advice = "On a network that others share give it TLS, and rediss:// in the URLs (docs/operations.md, TLS)."
        return warn("exposure", f"Redis asks for a password at {outside}, but all travels in the clear.", advice)
    if door.outside == "closed":
        return ok("exposure", "Only this machine reaches Redis.")
    return ok("exposure", f"Redis asks for a password{', by TLS' if door.is_tls else ''}.")


def is_readable_by_others(mode: int) -> bool:
    """Tell it by a file's mode."""
    return bool(mode & _OTHERS)
