"""What has happened to the pool between two looks at it: who came, who went, what broke. Pure."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from gateway.pool import PoolQueue

from .roster import Roster, Seen

Kind = Literal["joined", "left", "gone", "engine_died", "dead_letter", "job_failed"]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; `what` is an error's code where a job failed, and `count` how many there were."""

    at_ms: int
    kind: Kind
    model: str = ""
    worker: str = ""
    job: str = ""
    what: str = ""
    count: int = 1


def incidents(
    before: Roster, after: Roster, queues_before: Sequence[PoolQueue], queues: Sequence[PoolQueue], *, at_ms: int
) -> list[Incident]:
    """What the second look tells that the first did not."""
    return [*_of_workers(before, after, at_ms), *_of_queues(queues_before, queues, at_ms)]


def _of_workers(before: Roster, after: Roster, at_ms: int) -> Iterator[Incident]:
    for name, seen in after.items():
        earlier = before.get(name)
        if earlier is None:
            yield _about(seen, "joined", at_ms)
        elif earlier.lost_at_ms is None and seen.lost_at_ms is not None:
            yield _about(seen, "left" if seen.has_left else "gone", at_ms)
        elif (deaths := seen.worker.engine_deaths - earlier.worker.engine_deaths) > 0:
            yield _about(seen, "engine_died", at_ms, count=deaths)


def _of_queues(before: Sequence[PoolQueue], after: Sequence[PoolQueue], at_ms: int) -> Iterator[Incident]:
    had = {queue.model: queue.dead_letters for queue in before}
    for queue in after:
        if (more := queue.dead_letters - had.get(queue.model, queue.dead_letters)) > 0:
            yield Incident(at_ms=at_ms, kind="dead_letter", model=queue.model, count=more)


def _about(seen: Seen, kind: Kind, at_ms: int, *, count: int = 1) -> Incident:
    return Incident(at_ms=at_ms, kind=kind, model=seen.worker.model, worker=seen.worker.id, count=count)
