"""Nemeses of the broker: it is killed, frozen, filled, its file torn, its clients cut off."""

import asyncio
import contextlib
import random
from typing import Literal

import msgspec

from shared.errors import Fault
from tests.chaos.nemesis import Field
from tests.chaos.pool import until


class KillBroker(msgspec.Struct, frozen=True, kw_only=True):
    """kill -9 of the broker; it comes back with what its append-only file has, all of it or a little less."""

    every_s: tuple[float, float] = (3.0, 6.0)
    away_s: tuple[float, float] = (0.2, 2.0)
    tears: tuple[int, int] | None = None  # bytes to cut off the file's end, at least and at most

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Kill it."""
        away_s, cut = chance.uniform(*self.away_s), chance.randint(*self.tears) if self.tears else 0
        broker = field.pool.broker
        field.struck(self, "broker", f"away {away_s:.1f} s{f', {cut} bytes cut off' if cut else ''}")
        await asyncio.to_thread(broker.process.kill)
        if cut:
            broker.tear(cut)
        await asyncio.sleep(away_s)
        broker.start()
        await until(field.pool.is_broker_up, "the broker is up again")
        field.healed(self, "broker")


class FreezeBroker(msgspec.Struct, frozen=True, kw_only=True):
    """SIGSTOP of the broker: connections stand, and nothing answers."""

    every_s: tuple[float, float] = (3.0, 5.0)
    for_s: tuple[float, float] = (1.0, 4.0)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Freeze it."""
        for_s = chance.uniform(*self.for_s)
        field.struck(self, "broker", f"{for_s:.1f} s")
        field.pool.broker.process.pause()
        await asyncio.sleep(for_s)
        field.pool.broker.process.wake()
        field.healed(self, "broker")


class FillBroker(msgspec.Struct, frozen=True, kw_only=True):
    """The broker is at maxmemory: it refuses what would take more."""

    every_s: tuple[float, float] = (2.0, 4.0)
    for_s: tuple[float, float] = (1.0, 3.0)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Fill it."""
        for_s = chance.uniform(*self.for_s)
        field.struck(self, "broker", f"{for_s:.1f} s")
        await field.pool.redis.command("CONFIG", "SET", "maxmemory", 1)
        await asyncio.sleep(for_s)
        await field.pool.redis.command("CONFIG", "SET", "maxmemory", 0)
        field.healed(self, "broker")


class CutClients(msgspec.Struct, frozen=True, kw_only=True):
    """CLIENT KILL: the broker cuts off all connections of a kind, as it does with a listener that falls behind."""

    every_s: tuple[float, float] = (0.5, 2.0)
    kinds: tuple[Literal["pubsub", "normal"], ...] = ("pubsub", "normal")

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Cut them off."""
        kind = chance.choice(self.kinds)
        with contextlib.suppress(Fault):  # another nemesis has it
            cut = await field.pool.redis.command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            field.struck(self, "broker", f"{cut} {kind}")
