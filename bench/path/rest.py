"""What the pool's processes use while nobody asks for anything: beats, reapers and watches never sleep."""

import time

import msgspec

from bench.rig.pool import Pool
from bench.rig.usage import usage_of
from bench.table import table

from .throughput import engine_flags

SETTLE_S = 1.0
_MB = 1e6


class Rest(msgspec.Struct, frozen=True):
    """One process at rest."""

    name: str
    cpu_ms_per_s: float
    resident_bytes: int


def measure(pool: Pool, *, seconds: float) -> list[Rest]:
    """Watch the gateway, the broker and an idle worker's two processes for so long."""
    with pool.worker(*engine_flags(20)) as worker:
        pids = pool.pids | {"agent": worker.agent_pid, "engine": worker.engine_pid}
        time.sleep(SETTLE_S)
        began, before = time.monotonic(), {name: usage_of(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        after, took_s = {name: usage_of(pid) for name, pid in pids.items()}, time.monotonic() - began
    return [
        Rest(name, (after[name].cpu_s - before[name].cpu_s) / took_s * 1_000, after[name].resident_bytes)
        for name in pids
    ]


def report(rests: list[Rest]) -> str:
    """The table."""
    rows = [[rest.name, f"{rest.cpu_ms_per_s:.1f}", f"{rest.resident_bytes / _MB:.0f}"] for rest in rests]
    return table(("at rest", "CPU ms per s", "memory MB"), rows)
