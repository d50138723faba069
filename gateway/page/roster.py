"""The workers that a page shows: those that there are, and for a while those that were there a moment ago.

Redis forgets a worker with its lease. A person who looks at the page a minute later wants to know that one is missing,
and whether it went as it was told to. Pure.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.pool import PoolWorker

GONE_FOR_MS = 180_000
LEFT_FOR_MS = 15_000
PACES = 60  # that are remembered of each


class Seen(msgspec.Struct, frozen=True):
    """A worker as it was told of last; `lost_at_ms` is when it was first missed."""

    worker: PoolWorker
    since_ms: int  # by when it was first seen here
    lost_at_ms: int | None = None
    paces: tuple[float, ...] = ()  # tokens a second, oldest first

    @property
    def has_left(self) -> bool:
        """Whether it went as it was told to."""
        return self.worker.state in {"draining", "left"}


Roster = Mapping[str, Seen]


def next_roster(roster: Roster, workers: Sequence[PoolWorker], now_ms: int) -> Roster:
    """The roster a moment later."""
    present = {worker.id: _seen(roster.get(worker.id), worker, now_ms) for worker in workers}
    absent = {name: _missed(seen, now_ms) for name, seen in roster.items() if name not in present}
    return present | {name: seen for name, seen in absent.items() if _is_missed(seen, present, now_ms)}


def _seen(before: Seen | None, worker: PoolWorker, now_ms: int) -> Seen:
    since_ms, paces = (before.since_ms, before.paces) if before else (now_ms, ())
    pace = worker.tokens_per_second if worker.busy else 0.0
    return Seen(worker, since_ms, paces=(*paces, pace)[-PACES:])


def _missed(seen: Seen, now_ms: int) -> Seen:
    if seen.lost_at_ms is not None:
        return seen
    state = "left" if seen.has_left else "gone"
    worker = msgspec.structs.replace(seen.worker, state=state, busy=0, tokens_per_second=0.0, lease_ends_in_ms=0)
    return msgspec.structs.replace(seen, worker=worker, lost_at_ms=now_ms)


def _is_missed(seen: Seen, present: Roster, now_ms: int) -> bool:
    assert seen.lost_at_ms is not None
    if now_ms - seen.lost_at_ms > (LEFT_FOR_MS if seen.has_left else GONE_FOR_MS):
        return False
    # Its next run on the same machine has come in its place.
    lost = seen.worker
    return not any(
        other.since_ms >= seen.lost_at_ms and (other.worker.host, other.worker.model) == (lost.host, lost.model)
        for other in present.values()
    )
