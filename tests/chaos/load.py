"""What clients want of the pool in a run: a load as plain data, and the orders that a seed makes of it. Pure."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from .history import Manners
from .kinds import KINDS, SCRIPTED, THEMES

HTTP_CLIENT, SERVICE = "client", "service"  # what their names begin with


class Load(msgspec.Struct, frozen=True):
    """How many clients of which manners want how much. Shares are of an HTTP client's requests."""

    clients: int = 6  # over HTTP
    submitters: int = 1  # straight to the broker
    requests: int | None = None  # of each; None: until the time is up
    tokens: tuple[int, int] = (10, 120)
    kinds: tuple[str, ...] = SCRIPTED
    pause_s: float = 0.05  # at most, between two requests
    leavers: float = 0.0
    cancellers: float = 0.0
    slow: float = 0.0
    leave_within_s: float = 1.0
    nameless: float = 0.0  # without a key: such a one can't be made again
    twins: int = 1  # how often each request is made at once, with one key
    villains: dict[str, int] = {}  # directives of the scripted engine, and how many requests carry each
    is_rehearsed: bool = False  # everything is asked once before the storm too; `requests` must be a number
    extra: dict[str, Any] = {}  # fields of every body


class Order(msgspec.Struct, frozen=True):
    """One request to be made, with its manners."""

    request: str
    client: str
    body: dict[str, Any]
    manners: Manners = "polite"
    is_nameless: bool = False
    leaves_after_s: float = 0.0  # a leaver
    cancels_after: int = 0  # events, a canceller
    pause_s: float = 0.0  # before it


def tenant_of(client: str, tenants: int) -> str:
    """Whose a client is, by the number in its name; "" where there are no tenants, and for services."""
    if not tenants or client.startswith(SERVICE):
        return ""
    return f"tenant-{int(client.rpartition('-')[2]) % tenants}"


def orders_of(load: Load, seed: int, client: str) -> Iterator[Order]:
    """Give the orders of one client, one after the other: the same ones for the same seed."""
    chance = random.Random(f"{seed}/{client}")
    number = 0
    while load.requests is None or number < load.requests:
        number += 1
        request, kind = f"{client}-{number}", load.kinds[number % len(load.kinds)]
        body = _body(load, chance, kind, f"{request}/{seed}")
        yield _order(load, chance, client, request, body)


def villains_of(load: Load, seed: int) -> list[Order]:
    """Give the orders that are to break engines."""
    chance = random.Random(f"{seed}/villains")
    pairs = [(directive, n) for directive, count in load.villains.items() for n in range(count)]
    return [
        Order(
            request=f"villain-{place}",
            client=f"villain-{place}",
            body={"prompt": f"{directive} {n} {seed}", "max_tokens": 60},
            pause_s=chance.uniform(0.2, 1.5),
        )
        for place, (directive, n) in enumerate(pairs)
    ]


def _order(load: Load, chance: random.Random, client: str, request: str, body: dict[str, Any]) -> Order:
    manners = _manners(load, chance)
    return Order(
        request=request,
        client=client,
        body=body,
        manners=manners,
        is_nameless=client.startswith(HTTP_CLIENT) and chance.random() < load.nameless,
        leaves_after_s=chance.uniform(0, load.leave_within_s),
        cancels_after=chance.randint(1, 20),
        pause_s=chance.uniform(0, load.pause_s),
    )


def _manners(load: Load, chance: random.Random) -> Manners:
    shares: list[tuple[Manners, float]] = [
        ("leaver", load.leavers),
        ("canceller", load.cancellers),
        ("slow", load.slow),
    ]
    left = chance.random()
    for manners, share in shares:
        if left < share:
            return manners
        left -= share
    return "polite"


def _body(load: Load, chance: random.Random, kind: str, mark: str) -> dict[str, Any]:
    fields = KINDS[kind](f"{chance.choice(THEMES)} #{mark}", chance)
    return {"max_tokens": chance.randint(*load.tokens)} | fields | load.extra
