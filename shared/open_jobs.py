"""The jobs of a queue that have not ended, one by one: for the operator who asks whose they are.

A direct job is among them once a worker has looked at it; a survey counts those before, too.
"""

from typing import Any

import msgspec

from .connection import Broker
from .keys import Keys
from .queue import State

MOST = 2_000
_AT_ONCE = 500
_FIELDS = ("state", "class", "tenant", "attempt", "owner", "enqueued", "entry")


class OpenJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that waits or runs, at its `attempt`-th claim; `worker` runs it. Times are Redis's."""

    id: str
    state: State
    job_class: str
    tenant: str
    attempt: int
    enqueued_at_ms: int
    worker: str = ""
    is_suspect: bool = False  # it runs alone, or waits to


async def open_jobs(broker: Broker, model: str, *, most: int = MOST) -> list[OpenJob]:
    """Read up to so many, those with the nearest deadline first."""
    keys = Keys(model)
    ids: list[bytes] = await broker.command("ZRANGE", f"{keys.prefix}:deadlines", 0, most - 1)
    jobs: list[OpenJob] = []
    for start in range(0, len(ids), _AT_ONCE):
        names = [each.decode() for each in ids[start : start + _AT_ONCE]]
        replies = await broker.commands([("HMGET", keys.job(name), *_FIELDS) for name in names])
        jobs += [job for name, row in zip(names, replies, strict=True) if (job := _open(name, row))]
    return jobs


def _open(job_id: str, row: list[Any]) -> OpenJob | None:
    told = {name: value.decode(errors="replace") for name, value in zip(_FIELDS, row, strict=True) if value is not None}
    if told.get("state") not in {"waiting", "running"}:  # it ended meanwhile
        return None
    return OpenJob(
        id=job_id,
        state=msgspec.convert(told["state"], State),
        job_class=told.get("class", ""),
        tenant=told.get("tenant", ""),
        attempt=int(told.get("attempt", 0)),
        enqueued_at_ms=int(told.get("enqueued", 0)),
        worker=told.get("owner", ""),
        is_suspect=told.get("entry", "").startswith("sus:"),
    )
