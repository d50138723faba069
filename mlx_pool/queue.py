"""The command `mlx-pool queue`: what waits by class and tenant, and who runs what."""

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
from cyclopts import Parameter

from shared.connection import Broker
from shared.keys import CLASSES
from shared.open_jobs import OpenJob, open_jobs
from shared.pool import Pool
from shared.survey import Survey

from .arguments import JsonFlag, RedisFlag, call
from .asking import ask
from .failure import Unusable
from .table import table
from .terminal import clean
from .where import redis_url


class Waiting(msgspec.Struct, frozen=True):
    """Jobs of one class and one tenant that nobody has claimed."""

    job_class: str
    tenant: str
    jobs: int
    oldest_wait_ms: int


class QueueView(msgspec.Struct, frozen=True):
    """A queue as it is now. `unlisted` jobs are counted, but not among the others: they are too many, or too new."""

    model: str
    waiting: int
    running: int
    oldest_wait_ms: int
    now_ms: int
    waits: list[Waiting]
    runs: list[OpenJob]
    unlisted: int


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(queue, argv, name="queue")


def queue(
    model: Annotated[str | None, Parameter(help="Whose queue. [default: all of them]")] = None,
    /,
    *,
    redis: RedisFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Show what waits by class and tenant, and which worker runs which job."""
    views = ask(redis_url(redis, os.environ), partial(_look, model=model), name="queue")
    shown = msgspec.json.encode({"queues": views}).decode() + "\n" if as_json else "\n".join(map(as_lines, views))
    sys.stdout.write(shown or "no worker has served a model here yet\n")
    return 0


async def _look(client: Broker, *, model: str | None) -> list[QueueView]:
    pool = Pool(client)
    models = await pool.models()
    if model is not None and model not in models:
        raise Unusable(
            f"No worker has ever served `{model}` here; these are known: {', '.join(sorted(models)) or '-'}."
        )
    chosen = sorted(models) if model is None else [model]
    return [view_of(await pool.queue(each).survey(), await open_jobs(client, each)) for each in chosen]


def view_of(survey: Survey, jobs: Sequence[OpenJob]) -> QueueView:
    """Count what waits by class and tenant. Survey and jobs are not of the same instant."""
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for each in jobs:
        if each.state == "waiting":
            groups[each.job_class, each.tenant].append(each.enqueued_at_ms)
    waits = [
        Waiting(job_class, tenant, len(times), max(0, survey.now_ms - min(times)))
        for (job_class, tenant), times in groups.items()
    ]
    return QueueView(
        model=survey.model,
        waiting=survey.waiting_total,
        running=survey.running,
        oldest_wait_ms=survey.oldest_wait_ms,
        now_ms=survey.now_ms,
        waits=sorted(waits, key=lambda each: (_rank(each.job_class), -each.jobs, each.tenant)),
        runs=sorted(
            (each for each in jobs if each.state == "running"), key=lambda each: (each.worker, each.enqueued_at_ms)
        ),
        unlisted=max(0, survey.waiting_total + survey.running - len(jobs)),
    )


def _rank(job_class: str) -> int:
    return CLASSES.index(job_class) if job_class in CLASSES else len(CLASSES)


def as_lines(view: QueueView) -> str:
    """Draw one queue for a person."""
    oldest = f", the oldest for {view.oldest_wait_ms / 1_000:.1f} s" if view.waiting else ""
    parts = [f"{clean(view.model)}: {view.waiting} wait{oldest}; {view.running} run"]
    if view.waits:
        rows = [
            (each.job_class, each.tenant or "-", str(each.jobs), _seconds(each.oldest_wait_ms)) for each in view.waits
        ]
        parts.append(table(("CLASS", "TENANT", "WAITING", "OLDEST"), rows))
    if view.runs:
        parts.append(
            table(("WORKER", "JOB", "CLASS", "TENANT", "ATTEMPT", "AGE"), [_run(view, each) for each in view.runs])
        )
    if view.unlisted:
        parts.append(f"and {view.unlisted} more, which are not listed")
    return "\n\n".join(parts) + "\n"


def _run(view: QueueView, job: OpenJob) -> tuple[str, ...]:
    attempt = f"{job.attempt}{' alone' if job.is_suspect else ''}"
    age = _seconds(max(0, view.now_ms - job.enqueued_at_ms))
    return job.worker or "-", job.id, job.job_class, job.tenant or "-", attempt, age


def _seconds(ms: int) -> str:
    return f"{ms / 1_000:.1f} s"
