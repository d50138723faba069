"""One run: the pool is started, clients ask, nemeses strike, all comes to rest, and what is left is written down."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import msgspec

from shared.connection import connect

from . import history as h
from .census import census, rest
from .client import Client, Who
from .evidence import REHEARSAL
from .gather import gather
from .history import History
from .load import HTTP_CLIENT, SERVICE, Load, Order, orders_of, tenant_of, villains_of
from .nemesis import Field, furies
from .pool import MODEL, Pool
from .scenario import Scenario
from .spy import spy
from .submitter import BLOCK_MS, Submitter

HISTORY = "history.jsonl"


async def run(scenario: Scenario, *, seed: int, seconds: float, folder: Path) -> list[h.AnyRecord]:
    """Run a scenario; its history is returned, and kept in the folder with the processes' words."""
    history = History(folder / HISTORY)
    try:
        async with Pool(scenario.shape, folder, seed) as pool:
            began = h.Began(at=0, scenario=scenario.name, seed=seed, seconds=seconds, rules=scenario.rules)
            history.add(began)
            async with _spied(scenario, pool, history), _Crowd(pool, scenario.load, seed, history) as crowd:
                await _storm(scenario, pool, crowd, seconds, history)
                history.add(await rest(pool, within_s=scenario.rules.quiet_s, now=history.now()))
            async for record in gather(pool, at=history.now()):
                history.add(record)
    finally:
        history.close()
    return history.records


async def _storm(scenario: Scenario, pool: Pool, crowd: "_Crowd", seconds: float, history: History) -> None:
    await crowd.warm_up()
    await crowd.rehearse()
    history.add(await census(pool, "base", at=history.now()))
    is_over = asyncio.Event()
    field = Field(pool, history)
    async with asyncio.TaskGroup() as tasks:
        for fury in furies(scenario.nemeses, crowd.seed):
            tasks.create_task(fury.rage(field, is_over))
        clients = tasks.create_task(crowd.ask(is_over))
        await asyncio.wait([clients], timeout=None if scenario.load.requests else seconds)
        is_over.set()


@asynccontextmanager
async def _spied(scenario: Scenario, pool: Pool, history: History) -> AsyncGenerator[None]:
    if not scenario.is_spied:
        yield
        return
    spying = asyncio.create_task(spy(pool.broker.port, pool.keys, history))
    try:
        yield
    finally:
        spying.cancel()
        await asyncio.wait([spying])


class _Crowd:
    """All clients of a run."""

    def __init__(self, pool: Pool, load: Load, seed: int, history: History) -> None:
        self.seed = seed
        self._load = load
        self._line = connect(pool.broker.url, name="submitters", timeout_ms=BLOCK_MS + 2_000)
        self._ports = pool.ports
        self._api_keys = pool.api_keys
        self._history = history
        self._submitter = Submitter(self._line, pool.keys, history)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._line.aclose()

    def _client(self, name: str) -> Client:
        tenant = tenant_of(name, len(self._api_keys))
        who = Who(tenant, self._api_keys.get(tenant, ""))
        chance = random.Random(f"{self.seed}/gateways/{name}")
        return Client(self._ports, MODEL, self._history, chance, who=who)

    async def warm_up(self) -> None:
        """Let every client ask once, so that whatever is made at the first request is there."""
        load = msgspec.structs.replace(self._load, requests=1, tokens=(4, 8), leavers=0.0, cancellers=0.0, slow=0.0)
        orders = [order for n in range(load.clients) for order in orders_of(load, self.seed, f"warm-{n}")]
        await asyncio.gather(*(self._ask_once(order, self._client(order.client)) for order in orders))

    async def rehearse(self) -> None:
        """Ask everything once, undisturbed, where the answers are what the storm's are held against."""
        if not self._load.is_rehearsed:
            return
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._load.clients):
                tasks.create_task(self._rehearse(f"{HTTP_CLIENT}-{number}"))

    async def _rehearse(self, name: str) -> None:
        client = self._client(name)
        for order in orders_of(self._load, self.seed, name):
            request = f"{REHEARSAL}-{order.request}"
            await self._ask_once(msgspec.structs.replace(order, client=REHEARSAL, request=request), client)

    async def ask(self, is_over: asyncio.Event) -> None:
        """Let everybody ask until they have had enough or it is over."""
        load = self._load
        async with asyncio.TaskGroup() as tasks:
            for number in range(load.clients):
                name = f"{HTTP_CLIENT}-{number}"
                tasks.create_task(self._ask_all(load, name, is_over, self._client(name)))
            for number in range(load.submitters):
                tasks.create_task(self._ask_all(load, f"{SERVICE}-{number}", is_over, self._submitter))
            for order in villains_of(load, self.seed):
                tasks.create_task(self._ask_once(order, self._client(order.client)))

    async def _ask_all(self, load: Load, name: str, is_over: asyncio.Event, asker: Client | Submitter) -> None:
        for order in orders_of(load, self.seed, name):
            if is_over.is_set():
                return
            if load.twins == 1:
                await self._ask_once(order, asker)
            else:
                await self._ask_at_once(order, load.twins, asker)

    async def _ask_once(self, order: Order, asker: Client | Submitter) -> None:
        await asyncio.sleep(order.pause_s)
        await asker.carry_out(order, key="" if order.is_nameless else f"{self.seed}-{order.request}")

    async def _ask_at_once(self, order: Order, twins: int, asker: Client | Submitter) -> None:
        orders = [msgspec.structs.replace(order, request=f"{order.request}.{twin}") for twin in range(twins)]
        await asyncio.gather(*(asker.carry_out(each, key=f"{self.seed}-{order.request}") for each in orders))
