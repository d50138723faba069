"""What the pool holds at a moment, asked of the broker and of the system; and waiting until that is nothing."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from shared.errors import Fault
from shared.keys import CLASSES, MODELS

from .history import Census, Process
from .pool import Pool, until
from .process import Process as Running
from .process import is_running
from .vitals import descriptors, resident_bytes

_WINDOW = "~win"  # not a worker: what all see and nobody has taken is delivered to it
_PERMANENT = frozenset({"jobs", "workers", "deadlines", "dead", "model", "limits", "tick", "cancels"})


async def census(pool: Pool, phase: Literal["base", "rest"], *, at: float, quiet_after_s: float = 0.0) -> Census:
    """Count everything."""
    redis, keys = pool.redis, pool.keys
    lengths = [await redis.command("XLEN", keys.jobs(name)) for name in CLASSES]
    seen = [await redis.command("HLEN", f"{keys.prefix}:win:{name}") for name in CLASSES]
    running = sum([await _pending(pool, name) for name in CLASSES]) - sum(seen)
    workers = [wid.decode() for wid in await redis.command("ZRANGE", keys.workers, 0, -1)]
    busy = [int(await redis.command("HGET", keys.worker(wid), "busy") or 0) for wid in workers]
    deadlines = await redis.command("ZCARD", f"{keys.prefix}:deadlines")
    cancels = await redis.command("XLEN", f"{keys.prefix}:cancels")
    return Census(
        at=at,
        phase=phase,
        waiting=sum(lengths) - running,
        running=running,
        busy=sum(busy),
        unfinished=deadlines + cancels,
        strays=[*await _stray_keys(pool), *await _stray_consumers(pool, workers), *_stray_processes(pool)],
        processes=list(_processes(pool)),
        quiet_after_s=quiet_after_s,
    )


async def rest(pool: Pool, *, within_s: float, now: float) -> Census:
    """Wait until nothing is left of the storm, or for so long; returns what was found then."""
    began = time.monotonic()

    async def is_quiet() -> bool:
        try:
            found = await census(pool, "rest", at=now)
        except Fault:
            return False
        return not (found.waiting or found.running or found.busy or found.unfinished or found.strays)

    with contextlib.suppress(TimeoutError):  # the census tells what there is
        await until(is_quiet, "the pool is at rest", within_s=within_s)
    took_s = time.monotonic() - began
    return await census(pool, "rest", at=now + took_s, quiet_after_s=round(took_s, 2))


async def _pending(pool: Pool, job_class: str) -> int:
    for group in await _info(pool, "GROUPS", job_class):
        return int(group[b"pending"])
    return 0


async def _stray_keys(pool: Pool) -> list[str]:
    strays: list[str] = []
    async for key in scan(pool, "*"):
        kind = key.partition("}:")[2].split(":")[0]
        if key != MODELS and kind not in _PERMANENT and await pool.redis.command("TTL", key) == -1:
            strays.append(f"{key} has no TTL")
    return strays


async def _stray_consumers(pool: Pool, workers: list[str]) -> list[str]:
    found = [row[b"name"].decode() for name in CLASSES for row in await _info(pool, "CONSUMERS", name)]
    return [f"consumer {name} has no lease" for name in sorted(set(found) - {*workers, _WINDOW})]


def _stray_processes(pool: Pool) -> list[str]:
    dead = [process for process in (*pool.workers, *pool.gateways, pool.broker.process) if not process.is_alive]
    strays = [f"{process.name} has ended by itself: …{process.last_words()[-300:]}" for process in dead]
    return strays + [f"engine {pid} has outlived its agent" for pid in pool.orphans()]


def _processes(pool: Pool) -> Iterator[Process]:
    for process in (pool.broker.process, *pool.gateways, *pool.workers):
        if process.is_alive:
            yield _told(process.name, process.kind, process.pid, pool)
    for worker in pool.workers:
        yield from (_told(f"{worker.name}'s engine", "engine", pid, pool) for pid in _engines(worker))


def _engines(worker: Running) -> list[int]:
    return [pid for pid in worker.children() if is_running(pid)] if worker.is_alive else []


def _told(name: str, kind: str, pid: int, pool: Pool) -> Process:
    held = descriptors(pid, broker_ports=pool.broker_ports) if kind != "broker" else None
    return Process(name, kind, held, resident_bytes(pid))


async def scan(pool: Pool, pattern: str) -> AsyncIterator[str]:
    """Give the keys that match."""
    cursor = 0
    while True:
        cursor, keys = await pool.redis.command("SCAN", cursor, "MATCH", pattern, "COUNT", 1_000)
        for key in keys:
            yield key.decode()
        if not int(cursor):
            return


async def _info(pool: Pool, what: str, job_class: str) -> list[dict[bytes, Any]]:
    key = pool.keys.jobs(job_class)
    if not await pool.redis.command("EXISTS", key):
        return []
    words = (key, "workers") if what == "CONSUMERS" else (key,)
    rows: list[Any] = await pool.redis.command("XINFO", what, *words)
    return [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
