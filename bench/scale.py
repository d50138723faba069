"""`python -m bench.scale`: how many workers one Redis bears: what arrives of what all their engines could say.

Sixty-four workers are more processes than a small machine has cores for, so they are scaled: the agents are the pool's
own, each with its connections, leases, looks and flushes, but many of them share a process, and their engines are
played there. One connection that hears all channels stands for the gateways.
"""

import argparse
import asyncio
import contextlib
import itertools
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from pathlib import Path

import msgspec

from mlx_pool.up.broker import broker_binary
from shared.connection import connect
from shared.job import DEFAULT_TIMEOUT_MS, Job, encode_job
from shared.outline import encode_outline, outline_of
from shared.queue import Queue, Submission, new_job_id
from shared.survey import Survey

from .flags import read_flags
from .many.agents import Count, Counted
from .many.ear import Ear
from .rig.files import allow_files
from .rig.machine import machine
from .rig.partner import Partner
from .rig.pool import Pool, pool
from .rig.process import Died, end_cleanly_when_terminated
from .rig.usage import usage_of
from .table import table

_QUEUE = "scripted"
_FILES = 4_096
_WAITING = 128  # at least so many wait at all times, so that no seat is free for want of work
_FEED_EVERY_S = 0.25
_READY_WITHIN_S = 60.0
_SETTLE_S = 5.0
_PROMPT = "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. "
_US_PER_S = 1e6


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    workers: list[int]
    slots: int
    tokens_per_s: float
    processes: int
    tokens: int
    seconds: float


class Moment(msgspec.Struct, frozen=True):
    """All counts at one moment."""

    at_s: float
    heard: int
    counted: Counted
    broker_cpu_s: float
    agents_cpu_s: float


class Measured(msgspec.Struct, frozen=True):
    """So many workers, from one moment to another."""

    workers: int
    began: Moment
    ended: Moment
    seats_taken: float  # of all, on the mean
    least_waiting: int


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    allow_files(_FILES)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.scale {shlex.join(argv)}`\n", flush=True)
    measured: list[Measured] = []
    for workers in flags.workers:
        print(f"… {workers} workers", file=sys.stderr, flush=True)
        with (
            tempfile.TemporaryDirectory() as name,
            pool(Path(name), broker=broker) as running,
            _agents(Path(name), running, workers, flags) as agents,
            Ear(running.url, _QUEUE) as ear,
        ):
            measured.append(asyncio.run(_measure(running, agents, ear, workers, flags)))
    print(_report(measured, flags))


async def _measure(running: Pool, agents: Sequence[Partner], ear: Ear, workers: int, flags: Flags) -> Measured:
    broker = connect(running.url, name="bench-scale")
    queue = Queue(broker, _QUEUE)
    async with _feeding(queue, flags) as seen:
        await _until_all_seats_are_taken(queue, workers * flags.slots)
        await asyncio.sleep(_SETTLE_S)
        began = await asyncio.to_thread(_now, running, agents, ear)
        seen.clear()
        await asyncio.sleep(flags.seconds)
        ended = await asyncio.to_thread(_now, running, agents, ear)
    await broker.aclose()
    taken = statistics.fmean(survey.running for survey in seen) / (workers * flags.slots)
    return Measured(workers, began, ended, taken, min(survey.waiting_total for survey in seen))


@contextlib.contextmanager
def _agents(folder: Path, running: Pool, workers: int, flags: Flags) -> Generator[list[Partner]]:
    """As many agents as there are to be, in some processes."""
    each = -(-workers // flags.processes)
    step_ms = 1_000 / flags.tokens_per_s
    fixed = ("--queue", _QUEUE, "--slots", str(flags.slots), "--step-ms", f"{step_ms:g}")
    with contextlib.ExitStack() as stack:
        partners: list[Partner] = []
        for first in range(0, workers, each):
            (folder / f"agents-{first}").mkdir()
            mine = ("--first", str(first), "--workers", str(min(each, workers - first)))
            env = {"MLX_POOL_REDIS_URL": running.url}
            partner = Partner(folder / f"agents-{first}", "bench.many.agents", *fixed, *mine, env=env)
            partners.append(stack.enter_context(partner))
        yield partners


@contextlib.asynccontextmanager
async def _feeding(queue: Queue, flags: Flags) -> AsyncGenerator[list[Survey]]:
    """See to it that jobs wait, as long as the block runs; yields what was seen of the queue, as it is seen."""
    numbers = itertools.count()
    seen: list[Survey] = []

    async def feed() -> None:
        while True:
            seen.append(await queue.survey())
            lack = 2 * _WAITING - seen[-1].waiting_total
            if lack > 0:
                jobs = [_submission(next(numbers), flags.tokens) for _ in range(lack)]
                await queue.submit(jobs, tenant=f"tenant-{next(numbers)}", may_wait=True)
            await asyncio.sleep(_FEED_EVERY_S)

    feeding = asyncio.create_task(feed())
    try:
        yield seen
        if feeding.done():
            feeding.result()
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _until_all_seats_are_taken(queue: Queue, seats: int) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while (running := (await queue.survey()).running) < seats * 0.98:
        if time.monotonic() > deadline:
            raise Died(f"{running} of {seats} seats were taken within {_READY_WITHIN_S:.0f} s")
        await asyncio.sleep(_FEED_EVERY_S)


def _submission(number: int, tokens: int) -> Submission:
    """One of many, half to one and a half times as long as they are on the mean, so that no two end at once."""
    share = 0.5 + (number * 37 % 101) / 100
    job = Job(prompt=f"{number}: {_PROMPT}", max_tokens=max(1, round(tokens * share)))
    return Submission(new_job_id(_QUEUE), encode_job(job), DEFAULT_TIMEOUT_MS, encode_outline(outline_of(job, "")))


def _now(running: Pool, agents: Sequence[Partner], ear: Ear) -> Moment:
    counted = [agent.ask(Count(), Counted) for agent in agents]
    return Moment(
        at_s=time.monotonic(),
        heard=ear.tokens,
        counted=Counted(*(sum(getattr(one, name) for one in counted) for name in Counted.__struct_fields__)),
        broker_cpu_s=usage_of(running.pids["broker"]).cpu_s,
        agents_cpu_s=sum(usage_of(agent.pid).cpu_s for agent in agents),
    )


def _report(measured: Sequence[Measured], flags: Flags) -> str:
    head = (
        *("workers", "slots each", "processes", "sum tokens/s", "engines said", "arrived", "of the sum", "jobs/s"),
        *(
            "seats taken",
            "least waiting",
            "looks a job",
            "broker % of a core",
            "broker µs a token",
            "agents % of a core",
        ),
    )
    return table(head, [_row(one, flags) for one in measured])


def _row(one: Measured, flags: Flags) -> list[str]:
    began, ended = one.began, one.ended
    took_s = ended.at_s - began.at_s
    whole = one.workers * flags.slots * flags.tokens_per_s
    heard, made = ended.heard - began.heard, ended.counted.made - began.counted.made
    jobs, looks = ended.counted.claims - began.counted.claims, ended.counted.looks - began.counted.looks
    broker_s = ended.broker_cpu_s - began.broker_cpu_s
    return [
        *(str(one.workers), str(flags.slots), str(flags.processes), f"{whole:,.0f}", f"{made / took_s:,.0f}"),
        *(f"{heard / took_s:,.0f}", f"{heard / took_s / whole:.1%}", f"{jobs / took_s:,.1f}"),
        *(f"{one.seats_taken:.1%}", str(one.least_waiting), f"{looks / max(1, jobs):.1f}"),
        *(f"{broker_s / took_s:.0%}", f"{broker_s * _US_PER_S / max(1, heard):.1f}"),
        f"{(ended.agents_cpu_s - began.agents_cpu_s) / took_s:.0%}",
    ]


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="Many workers on one Redis.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--workers", default="8,32,64", help="one row each (%(default)s)")
    flag("--slots", default="16", help="of each worker (%(default)s)")
    flag("--tokens-per-s", default="20", help="that a slot's row says (%(default)s)")
    flag("--processes", default="2", help="that the agents share (%(default)s)")
    flag("--tokens", default="200", help="of a job's answer, on the mean (%(default)s)")
    flag("--seconds", default="30", help="that are measured (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
