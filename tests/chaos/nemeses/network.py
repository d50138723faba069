"""Nemeses of the network between the broker and the others, carried out by their proxies."""

import asyncio
import random
from typing import get_args

import msgspec

from tests.chaos.namespace import Way
from tests.chaos.nemesis import Field
from tests.chaos.proxy import CLEAR, Weather


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """Bad weather on the lines of some processes, for a while; or for the whole run, where it lasts that long."""

    weathers: tuple[Weather, ...]
    every_s: tuple[float, float] = (1.0, 2.0)
    for_s: tuple[float, float] = (1.0, 5.0)
    share: float = 0.5  # of the processes

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Turn the weather."""
        weather, for_s = chance.choice(self.weathers), chance.uniform(*self.for_s)
        names = sorted(field.pool.proxies)
        hit = chance.sample(names, max(1, round(len(names) * self.share)))
        field.struck(self, " ".join(hit), f"{_told(weather)} for {for_s:.1f} s")
        for name in hit:
            field.pool.proxies[name].turn(weather)
        await asyncio.sleep(for_s)
        for name in hit:
            field.pool.proxies[name].turn(CLEAR)
        field.healed(self, " ".join(hit))


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """All connections of a process to the broker break at once, replies that were on their way with them."""

    every_s: tuple[float, float] = (0.3, 1.5)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Break them."""
        name = chance.choice(sorted(field.pool.proxies))
        field.struck(self, name, f"{field.pool.proxies[name].reset()} connections")


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """The network between a worker and the rest is cut, one way or both, by filters in its namespace."""

    every_s: tuple[float, float] = (1.0, 3.0)
    for_s: tuple[float, float] = (1.0, 8.0)
    ways: tuple[Way, ...] = get_args(Way)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Cut it."""
        way, for_s = chance.choice(self.ways), chance.uniform(*self.for_s)
        with field.victim(field.pool.workers, chance) as worker:
            if worker is None:
                return
            namespace = field.pool.namespaces[worker.name]
            field.struck(self, worker.name, f"{way} for {for_s:.1f} s")
            await asyncio.to_thread(namespace.cut, way)
            await asyncio.sleep(for_s)
            await asyncio.to_thread(namespace.mend)
            field.healed(self, worker.name)


def _told(weather: Weather) -> str:
    default = Weather()
    fields = (name for name in weather.__struct_fields__ if getattr(weather, name) != getattr(default, name))
    return ", ".join(f"{name} {getattr(weather, name)}" for name in fields)
