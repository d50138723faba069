"""What a nemesis is, and how it rages: strike after strike, at times that a seed gives, until the run is over.

A strike takes back what it did before it returns, so a run's end never finds the pool paused or cut off.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Protocol

import msgspec

from .history import Answered, Asked, Healed, History, Pried, Struck
from .load import SERVICE
from .pool import Pool
from .process import Process

_LATELY = 1_000  # records


class Field:
    """Where nemeses strike: the pool, the history that they write, and who is in the hands of one already."""

    def __init__(self, pool: Pool, history: History) -> None:
        self.pool = pool
        self._history = history
        self._taken: set[str] = set()
        self.engine_deaths = Counter[str]()  # by agent, since the agent's start

    def struck(self, nemesis: "Nemesis", target: str = "", detail: str = "") -> None:
        """Write down that something was done."""
        name = type(nemesis).__name__
        self._history.add(Struck(at=self._history.now(), nemesis=name, target=target, detail=detail))

    def healed(self, nemesis: "Nemesis", target: str = "") -> None:
        """Write down that it was taken back."""
        self._history.add(Healed(at=self._history.now(), nemesis=type(nemesis).__name__, target=target))

    def pried(self, job: str, *, who: str, method: str, status: int) -> None:
        """Write down how it was answered that somebody asked for a job."""
        self._history.add(Pried(at=self._history.now(), job=job, who=who, method=method, status=status))

    def lately(self) -> list[tuple[str, str]]:
        """The jobs that HTTP clients were told of last, each with its client."""
        last = self._history.records[-_LATELY:]
        clients = {record.request: record.client for record in self._history.records if isinstance(record, Asked)}
        told = [(one.job, clients[one.request]) for one in last if isinstance(one, Answered) and one.job]
        return [(job, client) for job, client in told if not client.startswith(SERVICE)]

    @contextlib.contextmanager
    def victim(self, processes: Sequence[Process], chance: random.Random) -> Generator[Process | None]:
        """Pick a living process that no other nemesis has in its hands; None if there is none."""
        free = [one for one in processes if one.is_alive and one.name not in self._taken]
        picked = chance.choice(free) if free else None
        name = picked.name if picked else ""
        self._taken.add(name)
        try:
            yield picked
        finally:
            self._taken.discard(name)


class Nemesis(Protocol):
    """Something that befalls a pool."""

    @property
    def every_s(self) -> tuple[float, float]:
        """How long to wait before each strike, at least and at most."""
        ...

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Do it, and take it back."""
        ...


class Fury(msgspec.Struct, frozen=True):
    """A nemesis with the chance that is its own."""

    nemesis: Nemesis
    chance: random.Random

    async def rage(self, field: Field, is_over: asyncio.Event) -> None:
        """Strike until it is over; a strike that is under way is brought to its end."""
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.chance.uniform(*self.nemesis.every_s)):
                    await is_over.wait()
            if not is_over.is_set():
                await self.nemesis.strike(field, self.chance)


def furies(nemeses: Sequence[Nemesis], seed: int) -> list[Fury]:
    """Give each nemesis its own chance, so that adding one leaves the others' schedules as they were."""
    return [
        Fury(nemesis, random.Random(f"{seed}/{place}/{type(nemesis).__name__}"))
        for place, nemesis in enumerate(nemeses)
    ]
