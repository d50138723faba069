"""A model's queue as its producers and readers see it: submit, cancel, look, read a log.

What workers do to a queue is in `shared.claims`. Every method raises `Fault("broker_down")` when Redis does not answer.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from . import scripts
from .connection import Arg, Broker
from .errors import Refused
from .job import JobClass, queue_tag
from .keys import Keys
from .limits import Limits, read_limits
from .standing import Place, jobs_before
from .survey import Survey, read_survey

State = Literal["waiting", "running", "ended"]
Cancelling = Literal["ended", "cancelled", "flagged", "heard", "unknown"]
_ASK_LIVES_MS = 10_000


class Submission(msgspec.Struct, frozen=True):
    """A job on its way to the queue: `body` is its JSON, `timeout_ms` counts from now or from the first claim."""

    id: str
    body: bytes
    timeout_ms: int
    outline: str = ""  # what its prompt begins with (`shared.outline`), by which it finds its home; "": it has none


class Submitted(msgspec.Struct, frozen=True):
    """What became of a submission; not new means that the id was known, and nothing was added."""

    id: str
    is_new: bool
    state: State


class Peek(msgspec.Struct, frozen=True):
    """A job's record at a glance: `seq` is the last logged event's number."""

    state: State
    seq: int
    attempt: int
    tenant: str
    enqueued_at_ms: int  # by the broker's clock


class Kept(msgspec.Struct, frozen=True):
    """A job's record with the note that was kept beside it."""

    note: bytes
    state: State
    tenant: str
    enqueued_at_ms: int  # by the broker's clock


class LogEntry(msgspec.Struct, frozen=True):
    """One event as logged: its number, the attempt that wrote it, its JSON."""

    seq: int
    attempt: int
    data: bytes


class Reaped(msgspec.Struct, frozen=True):
    """What a reaper's tick did."""

    given_back: int
    ended: int
    workers: int


def new_job_id(model: str) -> str:
    """An id that names its queue and can't be guessed: 8 hex digits of the model, 128 random bits."""
    return f"{queue_tag(model)}-{secrets.token_hex(16)}"


def keyed_job_id(model: str, tenant: str, key: str) -> str:
    """The id behind a client's own id or Idempotency-Key: the same for the same tenant and key, told by nobody else."""
    digest = hashlib.sha256(b"\0".join((tenant.encode(), key.encode()))).hexdigest()
    return f"{queue_tag(model)}-{digest[:32]}"


class Crowded(Refused):
    """So many of a tenant's jobs wait already."""

    def __init__(self, waiting: int) -> None:
        said = f"{waiting} of your jobs wait already, and others wait for the same workers."
        super().__init__("too_many_jobs", said, retry_after_ms=1_000)
        self.waiting = waiting


class Queue:
    """The waiting and running jobs of one model."""

    def __init__(self, broker: Broker, model: str) -> None:
        self.model = model
        self.keys = Keys(model)
        self._broker = broker

    async def submit(
        self,
        jobs: Sequence[Submission],
        *,
        job_class: JobClass = "std",
        attached: bool = False,
        may_wait: bool = False,
        tenant: str = "",
        trace: str = "",
    ) -> list[Submitted]:
        """Put jobs on the queue, all or none, each id once: repeating the call changes nothing.

        An `attached` job is ended when nobody has listened to its channel for the orphan grace. With `may_wait` its
        timeout counts from its first claim.

        Raises:
            Refused: queue_full; too_many_jobs when this tenant has many waiting and others ask too; or
                idempotency_mismatch when an id is known with another body.

        """
        args: list[Arg] = [job_class, int(attached), int(may_wait), tenant, trace]
        for job in jobs:
            args += [job.id, job.body, job.timeout_ms, job.outline]
        reply = await self._call("submit", args)
        match reply[0]:
            case b"FULL":
                raise _full(self.model, waiting=reply[1], oldest_ms=reply[2])
            case b"CROWDED":
                raise Crowded(reply[1])
            case b"MISMATCH":
                raise Refused("idempotency_mismatch", "This id was used before, for another request.", param="id")
            case _:
                pairs = zip(jobs, reply[1::2], reply[2::2], strict=True)
                return [Submitted(job.id, bool(is_new), state.decode()) for job, state, is_new in pairs]

    async def cancel(self, job_id: str, *, reason: str = "cancelled", if_unheard: bool = False) -> Cancelling:
        """Cancel a job, at once where it waits, through its worker where it runs. Repeating it changes nothing."""
        reply = await self._call("cancel", [job_id, reason, int(if_unheard)])
        return reply.decode().lower()

    async def peek(self, job_ids: Sequence[str]) -> list[Peek | None]:
        """Look at jobs in one round trip; None where a job is unknown or expired."""
        reply = await self._call("peek", list(job_ids))
        return [_peek(row) if row else None for row in reply]

    async def keep(self, job_id: str, note: bytes) -> None:
        """Keep a note beside the job, as long as its record lives; of several the first."""
        await self._call("keep", [job_id, note])

    async def kept(self, job_id: str) -> Kept | None:
        """The note beside a job; None where there is none, or no such job."""
        fields = ("note", "state", "tenant", "enqueued")
        note, state, tenant, enqueued = await self._broker.command("HMGET", self.keys.job(job_id), *fields)
        return None if note is None else Kept(note, state.decode(), tenant.decode(), int(enqueued))

    async def forget(self, job_id: str) -> bool:
        """Let a job's record and log go, cancelling it first where it has not ended; tells whether it was there."""
        return bool(await self._call("forget", [job_id]))

    async def places(self, job_ids: Sequence[str]) -> list[Place | None]:
        """Where each of these stands in the line, about; None for one that does not wait."""
        counts, *rows = await self._call("ahead", list(job_ids))
        waiting = {name.decode(): count for name, count in zip(counts[::2], counts[1::2], strict=True)}
        named = [(row[0].decode(), row[1]) if row else None for row in rows]
        return [Place(each[0], jobs_before(*each, waiting)) if each else None for each in named]

    async def jobs_before(self, job_ids: Sequence[str]) -> list[int | None]:
        """How many jobs are served before each of these, about; None for one that does not wait."""
        return [place.before if place else None for place in await self.places(job_ids)]

    async def read_log(self, job_id: str, *, after: int = 0, count: int = 1_000) -> list[LogEntry]:
        """The logged events with seq > `after`, at most `count`, in order."""
        rows: list[Any] = await self._broker.command(
            "XRANGE", self.keys.log(job_id), f"({after}-{2**63}", "+", "COUNT", count
        )
        return [_log_entry(entry_id, fields[b"e"]) for entry_id, fields in rows]

    async def await_log(self, job_id: str, *, after: int, timeout_ms: int) -> list[LogEntry]:
        """As `read_log`, but waits for the first one; none when none came in time.

        Its connection must bear so much silence. Nobody counts as a listener by this: it keeps no job alive.
        """
        words = ("XREAD", "COUNT", 1_000, "BLOCK", timeout_ms, "STREAMS", self.keys.log(job_id), f"{after}-{2**63}")
        reply: list[Any] = await self._broker.command(*words)
        return [_log_entry(entry_id, fields[b"e"]) for _, rows in reply for entry_id, fields in rows]

    async def limits(self) -> Limits:
        """What its producers are bounded by."""
        return await read_limits(self._broker, self.model)

    async def survey(self) -> Survey:
        """The queue as it is now. Costs a script whose time grows with the number of workers: ask seldom."""
        return read_survey(self.model, await self._call("survey", []))

    async def reap(self, *, gone: str = "") -> Reaped | None:
        """Tick: give back the jobs of dead workers, end what is late. None when somebody ticked just now.

        `gone` names a worker whose own supervisor knows that it ended; its jobs go back without waiting for the lease.
        """
        reply = await self._call("reap", [gone])
        return None if reply[0] == b"EARLY" else Reaped(*reply[1:])

    async def ask_to_drain(self, worker_id: str) -> None:
        """Ask a worker to take no more, to finish or hand over what it runs, and to leave.

        It hears of it within half a second. Asking again changes nothing, nor does asking one that is gone.
        """
        key = self.keys.worker(worker_id)
        # One that has just left must not leave a key without an end behind: that of a living worker has a TTL already.
        await self._broker.commands([("HSET", key, "wanted", "drain"), ("PEXPIRE", key, _ASK_LIVES_MS, "NX")])

    async def _call(self, name: str, args: Sequence[Arg]) -> Any:
        return await scripts.call(self._broker, name, self.keys.prefix, args)


def _peek(row: Sequence[Any]) -> Peek:
    state, seq, attempt, tenant, _, enqueued = row
    return Peek(state.decode(), int(seq), int(attempt), tenant.decode(), int(enqueued))


def _full(model: str, *, waiting: int, oldest_ms: int) -> Refused:
    said = f"{waiting} jobs wait for {model}, the oldest for {oldest_ms / 1_000:.0f} s."
    return Refused("queue_full", said, retry_after_ms=max(1_000, oldest_ms))


def _log_entry(entry_id: bytes, data: bytes) -> LogEntry:
    seq, _, attempt = entry_id.partition(b"-")
    return LogEntry(int(seq), int(attempt), data)
