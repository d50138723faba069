"""Nemeses of workers, engines and gateways: they are killed, paused, and told to stop."""

import asyncio
import random
import signal
from collections.abc import Sequence
from typing import Literal

import msgspec

from tests.chaos.nemesis import Field
from tests.chaos.pool import READY_WITHIN_S, Pool, until
from tests.chaos.process import Process, send

UNFIT_AFTER = 3  # deaths under different jobs
_ABORT_TAKES_S = 1.0
Kind = Literal["workers", "gateways"]


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """kill -9 of a process, and another one in its place."""

    kind: Kind
    every_s: tuple[float, float] = (1.0, 3.0)
    away_s: tuple[float, float] = (0.0, 1.0)
    is_patient: bool = False  # strikes again only when the new one is ready: else a lone one never gets to work

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Kill one."""
        away_s = chance.uniform(*self.away_s)
        with field.victim(_of(field.pool, self.kind), chance) as process:
            if process is None:
                return
            field.struck(self, process.name)
            await asyncio.to_thread(process.kill)
            await asyncio.sleep(away_s)
            process.start()
            field.healed(self, process.name)
            if self.is_patient:
                await until(field.pool.is_ready, f"{process.name} is ready again", within_s=READY_WITHIN_S)


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """SIGSTOP for a while, as a laptop's lid does it: the agent alone, or with its engine."""

    kind: Kind
    every_s: tuple[float, float] = (2.0, 4.0)
    for_s: tuple[float, float] = (2.5, 7.0)
    with_engine: float = 0.5  # the share of pauses that stop a worker's engine too

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Pause one."""
        for_s, whole = chance.uniform(*self.for_s), chance.random() < self.with_engine
        with field.victim(_of(field.pool, self.kind), chance) as process:
            if process is None:
                return
            engines = process.children() if whole else []
            field.struck(self, process.name, f"{for_s:.1f} s{', with its engine' if engines else ''}")
            process.pause()
            _signal_all(engines, signal.SIGSTOP)
            await asyncio.sleep(for_s)
            _signal_all(engines, signal.SIGCONT)
            process.wake()
            field.healed(self, process.name)


class KillEngine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine aborts, as Metal does without memory, is killed, or hangs until the watchdog has had enough.

    An agent is started anew before it would take itself out of service as a sick machine's: that is another story.
    """

    every_s: tuple[float, float] = (1.0, 3.0)
    signals: tuple[signal.Signals, ...] = (signal.SIGABRT, signal.SIGKILL)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Signal one."""
        number = chance.choice(self.signals)
        with field.victim(field.pool.workers, chance) as worker:
            if worker is None or not (engines := worker.children()):
                return
            field.struck(self, worker.name, number.name)
            _signal_all(engines, number)
            field.engine_deaths[worker.name] += 1
            if field.engine_deaths[worker.name] == UNFIT_AFTER - 1:
                await asyncio.sleep(_ABORT_TAKES_S)
                await asyncio.to_thread(worker.end)
                worker.start()
                field.engine_deaths[worker.name] = 0


class Roll(msgspec.Struct, frozen=True, kw_only=True):
    """SIGTERM to one process after the other, each started again when it has ended: a rolling restart."""

    kind: Kind = "workers"
    every_s: tuple[float, float] = (0.5, 1.0)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Do a round over all of them."""
        processes = list(_of(field.pool, self.kind))
        chance.shuffle(processes)
        for process in processes:
            field.struck(self, process.name)
            await asyncio.to_thread(process.end)
            process.start()
            await until(field.pool.is_ready, f"{process.name} is ready again", within_s=READY_WITHIN_S)
            field.healed(self, process.name)


def _of(pool: Pool, kind: Kind) -> Sequence[Process]:
    return pool.workers if kind == "workers" else pool.gateways


def _signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        send(pid, number)
