"""Bulk work: many jobs of the class `lo` that wait, put on the queue as a producer without HTTP does it."""

import asyncio
import contextlib
from collections.abc import Callable, Generator

from bench.rig.pool import get_json
from shared.connection import connect
from shared.job import DEFAULT_TIMEOUT_MS, Job, encode_job
from shared.limits import write_limits
from shared.outline import encode_outline, outline_of
from shared.queue import Queue, Submission, new_job_id

from .besides import Disturbance, Site
from .macs import MODEL

_TENANT = "bulk"
_AT_ONCE = 200
_PROMPT = "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. " * 30  # some 600 tokens
_ANSWER_TOKENS = 200


def bulk_work(jobs: int) -> Disturbance:
    """Has so many waiting, from before the first of the others asks."""

    @contextlib.contextmanager
    def disturb(site: Site) -> Generator[Callable[[], str]]:
        asyncio.run(_submit(site.pool.url, jobs))
        before = _waiting(site)
        yield lambda: f"{before:,} waited, then {_waiting(site):,}"

    return disturb


async def _submit(url: str, jobs: int) -> None:
    broker = connect(url, name="bench-bulk")
    queue = Queue(broker, MODEL)
    await write_limits(broker, MODEL, {"waiting": 2 * jobs + 1_000})
    for first in range(0, jobs, _AT_ONCE):
        work = [_submission(number) for number in range(first, min(jobs, first + _AT_ONCE))]
        await queue.submit(work, job_class="lo", may_wait=True, tenant=_TENANT)
    await broker.aclose()


def _submission(number: int) -> Submission:
    job = Job(prompt=f"{number}: {_PROMPT}", max_tokens=_ANSWER_TOKENS, class_="lo")
    outline = encode_outline(outline_of(job, _TENANT))
    return Submission(new_job_id(MODEL), encode_job(job), DEFAULT_TIMEOUT_MS, outline)


def _waiting(site: Site) -> int:
    return get_json(site.pool.port, "/pool")["queues"][0]["waiting_by_class"].get("lo", 0)
