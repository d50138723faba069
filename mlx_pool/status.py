"""The command `mlx-pool status`: what waits, what runs, who works, as the queue itself tells it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from shared.connection import connect
from shared.pool import Pool
from shared.survey import Survey, WorkerView

from .arguments import JsonFlag, RedisFlag, call
from .table import table
from .where import redis_url


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(status, argv, name="status")


def status(
    *,
    redis: RedisFlag = None,
    as_json: JsonFlag = False,
    url: Annotated[bool, Parameter(negative="", help="Only print the queue's address, with its password.")] = False,
) -> int:
    """Show workers, slots and queues."""
    address = redis_url(redis, os.environ)
    if url:
        sys.stdout.write(f"{named(address)}\n")
        return 0
    surveys = asyncio.run(_surveys(address))
    sys.stdout.write(as_json_text(surveys) if as_json else as_lines(surveys))
    return 0


def named(url: str) -> str:
    """Write an address as every client of Redis reads it: to redis-cli a password without a name is nobody's."""
    return url.replace("://:", "://default:", 1)


async def _surveys(url: str) -> list[Survey]:
    client = connect(url, name="status")
    try:
        pool = Pool(client)
        return [await pool.queue(model).survey() for model in sorted(await pool.models())]
    finally:
        await client.aclose()


def as_json_text(surveys: Sequence[Survey]) -> str:
    """Write all that the queues tell, and what follows from it for jobs that come now."""
    queues: list[dict[str, Any]] = [
        msgspec.to_builtins(survey)
        | {"expected_wait_ms_by_class": survey.expected_wait_ms_by_class, "loading": survey.loading}
        for survey in surveys
    ]
    return msgspec.json.encode({"queues": queues}).decode() + "\n"


def as_lines(surveys: Sequence[Survey]) -> str:
    """Draw the queues and their workers for a person."""
    if not surveys:
        return "no worker has served a model here yet\n"
    queues = [
        [
            survey.model,
            str(survey.waiting_total),
            str(survey.running),
            str(sum(worker.slots for worker in survey.ready_workers)),
            str(survey.free_slots),
            _seconds(survey.oldest_wait_ms),
            _expected(survey),
        ]
        for survey in surveys
    ]
    workers = [
        [
            worker.id,
            survey.model,
            _state(worker),
            f"{worker.busy}/{worker.slots}",
            f"{worker.tokens_per_second:.0f}",
            _memory(worker),
            worker.note,
        ]
        for survey in surveys
        for worker in survey.live_workers
    ]
    drawn = table(("MODEL", "WAITING", "RUNNING", "SLOTS", "FREE", "OLDEST WAIT", "NEW JOBS WAIT"), queues)
    if not workers:
        return f"{drawn}\n\nno worker is alive\n"
    return f"{drawn}\n\n{table(('WORKER', 'MODEL', 'STATE', 'BUSY', 'TOKENS/S', 'MEMORY', 'NOTE'), workers)}\n"


def _state(worker: WorkerView) -> str:
    """Tell what it does, and of a loading how far it is."""
    return f"loading {worker.progress:.0%}" if worker.state == "loading" and worker.progress > 0 else worker.state


def _expected(survey: Survey) -> str:
    """Tell how long jobs that come now would wait: once where it is the same for all classes."""
    if (loaded := survey.loading) is not None:
        return f"the model is loading ({loaded:.0%})"
    by_class = survey.expected_wait_ms_by_class
    waits = ["?" if ms is None else f"{ms / 1_000:.1f} s" for ms in by_class.values()]
    pairs = zip(by_class, waits, strict=True)
    return waits[0] if len(set(waits)) == 1 else ", ".join(f"{name} {wait}" for name, wait in pairs)


def _memory(worker: WorkerView) -> str:
    """Tell what it holds, and where that is much, of how much."""
    if not worker.memory_bytes:
        return "-"
    held = f"{worker.memory_bytes / 2**20:.0f} MB"
    return f"{held} of {worker.memory_limit_bytes / 2**20:.0f}, {worker.pressure}" if worker.pressure else held


def _seconds(ms: int) -> str:
    return f"{ms / 1_000:.1f} s" if ms else "-"
