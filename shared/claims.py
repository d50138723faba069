"""A model's queue as one worker incarnation sees it: lease, look, take, append, finish, hand over.

Producers' and readers' calls are in `shared.queue`. Every method raises `Fault("broker_down")` when Redis does not
answer; each may then be repeated, since a replayed script changes nothing. (What a lost reply to `take` took comes
back through `mine`.)
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from . import scripts
from .connection import Arg, Broker
from .errors import Fault, Refused
from .keys import CLASSES, MODELS, Keys
from .window import Window, read_window

# Of the queue's protocol: workers tell it with each beat, so that what is for another version is left to who knows it.
VERSION = 1
LEASE_MS = 2_000
MINE_IDLE_MS = 2_000

Verdict = Literal["ok", "fenced", "gap", "err"]
Ending = Literal["done", "error", "cancelled"]
Finished = Literal["ok", "fenced", "gap", "gone", "back"]


class LeaseLost(Fault):
    """The pool has buried this incarnation: stop everything it runs, and begin anew under another name."""

    def __init__(self) -> None:
        super().__init__("internal", "this worker's lease was taken from it")


class Claimed(msgspec.Struct, frozen=True):
    """A job that is mine, as its `attempt`-th; `seq` events of earlier attempts are logged. Times are Redis TIME."""

    id: str
    attempt: int
    entry: str
    body: bytes
    seq: int
    deadline_ms: int
    enqueued_at_ms: int
    tenant: str
    trace: str
    outline: str  # as its producer told it
    now_ms: int
    found: tuple[int, ...] = ()  # how many of each of `CLASSES` waited when it was submitted; (): nobody has counted
    job_class: str = ""  # what it came in; its entry's is another where it was given back
    is_beyond_share: bool = False  # its tenant ran on an even share of the seats without it, and others asked too

    @property
    def is_suspect(self) -> bool:
        """Whether it must run alone, since attempts at it kept ending without a token."""
        return self.entry.startswith("sus:")

    @property
    def steps_aside(self) -> bool:
        """Whether others' prompts are read before its own: it is bulk work, or its tenant has its share."""
        return self.is_beyond_share or self.job_class == "lo" or self.entry.startswith("lo:")


class Row(msgspec.Struct, frozen=True):
    """A job's new events for one flush: numbered from `first_seq`; none just asks what is wanted of it."""

    id: str
    attempt: int
    first_seq: int
    events: Sequence[bytes]


class RowVerdict(msgspec.Struct, frozen=True):
    """What became of a row: `seq` is the log's last; `asked` is "", "deadline", or a cancel's reason."""

    verdict: Verdict
    seq: int
    asked: str


class Claims:
    """One incarnation's dealings with one queue."""

    def __init__(self, broker: Broker, model: str, worker_id: str, *, host: str, lease_ms: int = LEASE_MS) -> None:
        self.model = model
        self.worker_id = worker_id
        self.host = host
        self.keys = Keys(model)
        self._broker = broker
        self._lease_ms = lease_ms

    async def register(self, fingerprint: str, fields: dict[str, str | int | float]) -> None:
        """Begin a lease, and the queue itself if this is its first worker.

        Raises:
            Refused: workers of this queue serve other weights under the same name.

        """
        reply = await self._call("beat", [self.worker_id, self._lease_ms, 1, fingerprint, *_told(fields)])
        if reply[0] == b"OTHER":
            said = f"The workers of {self.model} serve other weights under this name: use theirs, or another name."
            raise Refused("invalid_value", said, param="model")
        await self._announce()

    async def beat(self, fields: dict[str, str | int | float]) -> str:
        """Renew the lease and tell what the pool should know; returns what an operator wants: "" or "drain".

        Raises:
            LeaseLost: it ended, and a reaper has taken the jobs.

        """
        reply = await self._call("beat", [self.worker_id, self._lease_ms, 0, "", *_told(fields)])
        if reply[0] == b"DEAD":
            raise LeaseLost
        await self._announce()
        return reply[1].decode()

    async def _announce(self) -> None:
        """Name the queue among those that exist, in a key that no script of the queue may touch on a cluster.

        With every beat: a crash of Redis that loses its last second may keep the lease and lose this.
        """
        await self._broker.command("SADD", MODELS, self.model)

    async def look(self) -> Window:
        """See what waits for a worker like this one. A lease that merely ended sees nothing until it is renewed.

        Raises:
            LeaseLost: a reaper has buried this incarnation.

        """
        reply = await self._call("look", [self.worker_id, self.host])
        if reply[0] == b"DEAD":
            raise LeaseLost
        return read_window(reply[1:])

    async def take(self, entries: Sequence[str], spare: Sequence[str] = ()) -> list[Claimed]:
        """Take jobs that `look` has shown; for one that is over, or another's by now, the next of the spare ones.

        Raises:
            LeaseLost: a reaper has buried this incarnation. A lease that merely ended gets nothing until renewed.

        """
        reply = await self._call("take", [self.worker_id, len(entries), *entries, *spare])
        if reply[0] == b"DEAD":
            raise LeaseLost
        return [_claimed(row) for row in reply[1:] if row]

    async def append(self, rows: Sequence[Row]) -> list[RowVerdict]:
        """Log and publish the rows' events in one call, and renew the lease.

        Raises:
            LeaseLost: a reaper has buried this incarnation; nothing of it counts any more.

        """
        args: list[Arg] = [self.worker_id, self._lease_ms]
        for row in rows:
            args += [row.id, row.attempt, row.first_seq, len(row.events), *row.events]
        reply = await self._call("append", args)
        if not reply[0]:
            raise LeaseLost
        triples = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
        return [RowVerdict(verdict.decode().lower(), seq, asked.decode()) for verdict, seq, asked in triples]

    async def finish(self, row: Row, ending: Ending) -> tuple[Finished, int]:
        """End a job with its last events, the last one terminal; returns what came of it and the log's last seq."""
        return (await self.finish_each([(row, ending)]))[0]

    async def finish_each(self, rows: Sequence[tuple[Row, Ending]]) -> list[tuple[Finished, int]]:
        """End several jobs in one round trip."""
        args = [(self.worker_id, row.id, row.attempt, row.first_seq, ending, *row.events) for row, ending in rows]
        replies = await scripts.call_each(self._broker, "finish", self.keys.prefix, args)
        return [(reply[0].decode().lower(), int(reply[1])) for reply in replies]

    async def fail(self, jobs: Sequence[tuple[str, int, int]]) -> None:
        """Give jobs (id, attempt, new tokens of this attempt) back because the engine died under them."""
        await self._call("fail", [self.worker_id, self.host, *(value for job in jobs for value in job)])

    async def release(self, job_id: str, attempt: int, *, not_on: str = "", has_no_room: bool = False) -> None:
        """Hand a job over; `not_on` names the host that should not be the next to take it.

        One that three workers had no room for, without a token in between, ends in `does_not_fit`.
        """
        await self._call("release", [self.worker_id, job_id, attempt, not_on, int(has_no_room)])

    async def mine(self, held: Sequence[str]) -> int:
        """Give back what was delivered to me but is not among the entries that I hold; returns how many."""
        return await self._call("mine", [self.worker_id, MINE_IDLE_MS, *held])

    async def leave(self) -> None:
        """End the lease now; what I still run goes back at once."""
        await self._call("reap", [self.worker_id])

    async def read_events(self, job_id: str) -> list[bytes]:
        """All logged events of a job, as JSON, in order: what an earlier attempt has already told."""
        events: list[bytes] = []
        last = "-"
        while True:
            rows: list[Any] = await self._broker.command("XRANGE", self.keys.log(job_id), last, "+", "COUNT", 1_000)
            events += [fields[b"e"] for _, fields in rows]
            if len(rows) < 1_000:
                return events
            last = f"({rows[-1][0].decode()}"

    async def _call(self, name: str, args: Sequence[Arg]) -> Any:
        return await scripts.call(self._broker, name, self.keys.prefix, args)


class Doorbell:
    """Wakes an idle worker when an entry is added; on a connection of its own, since it blocks.

    A ring is only a hint: whoever hears it looks.
    """

    def __init__(self, broker: Broker, model: str) -> None:
        self._broker = broker
        self._keys = Keys(model)

    async def wait(self, behind: Sequence[str], timeout_ms: int) -> bool:
        """Wait for an entry behind the ids that `look` saw, never from `$`; False when none came in time."""
        # The connection must bear `timeout_ms` of silence.
        streams = {self._keys.jobs(name): last for name, last in zip(CLASSES, behind, strict=True)}
        words = ("XREAD", "COUNT", 1, "BLOCK", timeout_ms, "STREAMS", *streams, *streams.values())
        reply = await self._broker.command(*words)
        return bool(reply)


def _told(fields: dict[str, str | int | float]) -> list[str | int | float]:
    return [value for pair in ({"v": VERSION} | fields).items() for value in pair]


def _claimed(row: Sequence[Any]) -> Claimed:
    job_id, attempt, entry, body, seq, deadline, enqueued, tenant, trace, outline, now, found, job_class, is_beyond = (
        row
    )
    return Claimed(
        id=job_id.decode(),
        attempt=attempt,
        entry=entry.decode(),
        body=body,
        seq=seq,
        deadline_ms=int(deadline),
        enqueued_at_ms=int(enqueued),
        tenant=tenant.decode(),
        trace=trace.decode(),
        outline=outline.decode(),
        now_ms=int(now),
        found=tuple(map(int, found.split())),
        job_class=job_class.decode(),
        is_beyond_share=bool(is_beyond),
    )
