"""The command `mlx-pool submit`: a job put straight on the queue, and its events, one JSON object a line.

Live messages only ring a bell here; what is printed comes from the job's event log, which has no gaps.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

import msgspec
from cyclopts import Parameter

from shared.channel import Batch, Listener
from shared.connection import connect
from shared.errors import Fault
from shared.event import AnyEvent, Done, decode_event, is_terminal
from shared.job import DEFAULT_TIMEOUT_MS, Job, JobClass, check_ask, encode_job, parse_job
from shared.outline import encode_outline, outline_of
from shared.pool import Pool
from shared.queue import LogEntry, Queue, Submission, new_job_id

from .arguments import RedisFlag, call
from .failure import Failed, Unusable
from .queue_choice import choose_model
from .where import redis_url

_LISTEN_WITHIN_S = 5.0
# How long a lost message, which nothing follows, can delay the event that it announced.
_LOOK_ANYWAY_AFTER_S = 1.0


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(submit, argv, name="submit")


def submit(
    prompt: Annotated[str | None, Parameter(help="What to ask; - reads it from stdin.")] = None,
    *,
    body: Annotated[
        str | None, Parameter(name="--json", help="The whole job as JSON instead; - reads it from stdin.")
    ] = None,
    job_class: Annotated[JobClass | None, Parameter(name="--class", help="Its priority. [default: std]")] = None,
    model: Annotated[str | None, Parameter(help="Whose queue. [default: the only one]")] = None,
    redis: RedisFlag = None,
) -> int:
    """Put a job straight on the queue and print its events, one JSON object a line; Ctrl-C cancels it.

    Exit code 0 when the job is done, 1 when it ended in an error or was cancelled.
    """
    job = job_of(_text(prompt), _text(body), job_class=job_class, model=model)
    last = asyncio.run(_submit(redis_url(redis, os.environ), job))
    return 0 if isinstance(last, Done) else 1


def job_of(prompt: str | None, body: str | None, *, job_class: JobClass | None, model: str | None) -> Job:
    """Make the job out of a prompt or a whole body; flags win over the body's own fields.

    Raises:
        Unusable: both were given, or neither.
        Refused: the body names a field that is wrong.

    """
    if (prompt is None) == (body is None):
        raise Unusable("Give a prompt, or a whole job with --json.")
    job = parse_job(body) if body is not None else Job(prompt=prompt)
    changed = {"class_": job_class, "model": model}
    job = msgspec.structs.replace(job, **{name: value for name, value in changed.items() if value is not None})
    check_ask(job)
    return job


async def _submit(url: str, job: Job) -> AnyEvent:
    client = connect(url, name="submit")
    try:
        pool = Pool(client)
        queue = pool.queue(choose_model(job.model, await pool.models()))
        job_id = job.id or new_job_id(queue.model)
        bell = asyncio.Event()
        async with _listening(url, queue.keys.channel(job_id), bell.set):
            timeout_ms = job.timeout_ms or DEFAULT_TIMEOUT_MS
            outline = encode_outline(outline_of(job, tenant=""))
            submission = Submission(job_id, encode_job(job), timeout_ms, outline)
            try:
                await queue.submit([submission], job_class=job.class_, may_wait=True)
                return await _print_events(queue, job_id, bell)
            except (asyncio.CancelledError, BrokenPipeError):
                await queue.cancel(job_id)  # Ctrl-C, be it while it was submitted; or nobody reads any more
                raise
    finally:
        await client.aclose()


async def _print_events(queue: Queue, job_id: str, bell: asyncio.Event) -> AnyEvent:
    async with aclosing(_log_of(queue, job_id, bell)) as log:
        async for entry in log:
            sys.stdout.buffer.write(entry.data + b"\n")
            sys.stdout.buffer.flush()
            event = decode_event(entry.data)
            if event is not None and is_terminal(event):
                return event
    raise AssertionError("a log has no end but a terminal event")


async def _log_of(queue: Queue, job_id: str, bell: asyncio.Event) -> AsyncGenerator[LogEntry]:
    have = 0
    while True:
        bell.clear()
        entries = await queue.read_log(job_id, after=have)
        for entry in entries:
            have = entry.seq
            yield entry
        if not entries and not await _rings(bell) and (await queue.peek([job_id])) == [None]:
            raise Failed(f"The queue knows nothing of job {job_id} any more.")


async def _rings(bell: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(_LOOK_ANYWAY_AFTER_S):
            return await bell.wait()
    except TimeoutError:
        return False


@asynccontextmanager
async def _listening(url: str, channel: str, ring: Callable[[], None]) -> AsyncGenerator[None]:
    def on_batch(_: Batch) -> None:
        ring()

    listener = Listener(url, name="submit-listener")
    # No task group: it would wrap what the block raises, which is meant for the caller as it is.
    owner = asyncio.create_task(listener.run())
    try:
        await _listen(listener, channel, on_batch, ring)
        yield
    finally:
        owner.cancel()
        await asyncio.wait([owner])


async def _listen(
    listener: Listener, channel: str, on_batch: Callable[[Batch], None], on_gap: Callable[[], None]
) -> None:
    deadline = time.monotonic() + _LISTEN_WITHIN_S
    while True:
        try:
            await listener.listen(channel, on_batch, on_gap)
        except Fault:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)  # its connection is being made
        else:
            return


def _text(argument: str | None) -> str | None:
    return sys.stdin.read() if argument == "-" else argument
