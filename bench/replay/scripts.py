"""What looking and taking cost the broker: its own time, as it counts it, with sixteen workers registered."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.rig.pool import server
from bench.table import table
from shared.claims import Claims, Row
from shared.connection import Broker, connect
from shared.outline import MAX_PREFIXES, Outline, Prefix, encode_outline
from shared.queue import Queue, Submission, new_job_id

from .macs import MODEL

_WORKERS = 16
_WAITING = (0, 4, 64)
_SLOTS = 16
_LEASE_MS = 3_600_000  # these workers never beat
_TENANTS = 8
_TOKENS_A_TURN = 250
_TIMEOUT_MS = 600_000
_HEAD = ("waiting", "look µs", "take µs", "look + take µs", f"{_WORKERS} looks + take µs", "a look's round trip µs")
_END = b'{"status":"done","seq":1,"reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":0}}'


class Cost(msgspec.Struct, frozen=True):
    """Microseconds a call."""

    waiting: int
    look: float
    take: float
    trip: float


def measure(folder: Path, broker: str, *, calls: int) -> str:
    """Call both scripts with nothing waiting, a few, and a window full; the table."""
    (folder / "scripts").mkdir()
    with server(folder / "scripts", broker) as (_, url):
        return table(_HEAD, [_row(cost) for cost in asyncio.run(_costs(url, calls))])


async def _costs(url: str, calls: int) -> list[Cost]:
    broker = connect(url, name="bench-scripts")
    queue = Queue(broker, MODEL)
    ids = [f"mac-{number}.{number}.bench" for number in range(_WORKERS)]
    workers = [Claims(broker, MODEL, each, host=each.split(".")[0], lease_ms=_LEASE_MS) for each in ids]
    for worker in workers:
        told: dict[str, str | int | float] = {"state": "ready", "slots": _SLOTS, "busy": _SLOTS}
        await worker.register("bench", told | {"host": worker.host, "model": MODEL, "v": "1"})
    costs: list[Cost] = []
    talk = 0
    for waiting in _WAITING:
        for _ in range(waiting - (_WAITING[len(costs) - 1] if costs else 0)):
            talk += 1
            await _settle(queue, workers[talk % _WORKERS], talk)
            await _submit(queue, talk, turn=1)
        costs.append(await _cost(broker, queue, workers, waiting, calls))
    await broker.aclose()
    return costs


async def _cost(broker: Broker, queue: Queue, workers: Sequence[Claims], waiting: int, calls: int) -> Cost:
    """Of so many calls of each script, in a queue that stays as long as it is."""
    for worker in workers:
        await worker.look()
    before, began_s = await _spent_us(broker), time.perf_counter()
    for number in range(calls):
        await workers[number % len(workers)].look()
    trip_us = (time.perf_counter() - began_s) * 1e6 / calls
    look_us = (await _spent_us(broker) - before) / calls
    take_us = 0.0
    for number in range(calls):
        worker = workers[number % len(workers)]
        await _submit(queue, 1_000_000 + waiting * calls + number, turn=1)
        entry = max((await worker.look()).waiting, key=lambda job: job.arrived).entry
        before = await _spent_us(broker)
        [claimed] = await worker.take([entry])
        take_us += await _spent_us(broker) - before
        await worker.finish(Row(claimed.id, claimed.attempt, claimed.seq + 1, [_END]), "done")
    return Cost(waiting, look_us, take_us / calls, trip_us)


async def _settle(queue: Queue, worker: Claims, talk: int) -> None:
    """Have a worker serve a talk's first turn, so that it is home to it."""
    await _submit(queue, talk, turn=0)
    outline = _outline(talk, 0)
    entry = next(job.entry for job in (await worker.look()).waiting if job.prefixes == outline.prefixes)
    for claimed in await worker.take([entry]):
        await worker.finish(Row(claimed.id, claimed.attempt, claimed.seq + 1, [_END]), "done")


async def _submit(queue: Queue, talk: int, *, turn: int) -> None:
    job = Submission(new_job_id(MODEL), b'{"prompt":"go on"}', _TIMEOUT_MS, encode_outline(_outline(talk, turn)))
    await queue.submit([job], tenant=f"tenant-{talk % _TENANTS}")


def _outline(talk: int, turn: int) -> Outline:
    """A prompt with as many boundaries as are told; the turn before ends two before this one's."""
    bounds = tuple(
        Prefix(f"{talk * 1_000 + place:016x}", (place + 1) * _TOKENS_A_TURN) for place in range(MAX_PREFIXES + 2 * turn)
    )
    prefixes = bounds if len(bounds) <= MAX_PREFIXES else (bounds[0], *bounds[1 - MAX_PREFIXES :])
    return Outline(bounds[-1].tokens, prefixes, (bounds[-3], bounds[1]))


async def _spent_us(broker: Broker) -> int:
    """What all scripts have cost the server so far."""
    told = await broker.command("INFO", "commandstats")
    return sum(int(told.get(f"cmdstat_{name}", {}).get("usec", 0)) for name in ("eval", "evalsha"))


def _row(cost: Cost) -> list[str]:
    once, all_look = cost.look + cost.take, _WORKERS * cost.look + cost.take
    return [str(cost.waiting), *(f"{value:,.0f}" for value in (cost.look, cost.take, once, all_look, cost.trip))]
