"""Batches: many requests out of one file, run by whichever gateway holds the lease, their progress kept in Redis.

Every method raises `Fault("broker_down")` when Redis does not answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from . import scripts
from .bulk_file import LIST_MS, enlist, listed
from .connection import Arg, Broker
from .keys import BULK, bulk_list, bulk_prefix

KEPT_MS = 48 * 3_600_000  # behind the time within which a batch is to be done
Ending = Literal["completed", "failed", "expired", "cancelled"]
Status = Literal["validating", "in_progress", "cancelling"] | Ending
Claiming = Literal["held", "ended", "gone"]
Losing = Literal["fenced", "gap", "gone"]


class Problem(msgspec.Struct, frozen=True):
    """Why a batch failed; `line` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as its record has it; times are the broker's, in ms."""

    tag: str
    tenant: str
    caller: str  # JSON: who made it, and what that one may do
    endpoint: str
    input: str  # the file's tag
    window: str
    metadata: str = "{}"  # JSON
    total: int
    status: Status
    created: int
    expires: int
    begun: int | None = None
    cancelled: int | None = None  # when that was asked for
    ended: int | None = None
    problems: str = "[]"  # JSON: why it failed
    # The progress: all lines before `line`, which begins at the byte `offset`, have their results, and so has `done`.
    line: int = 0
    offset: int = 0
    done: str = ""
    completed: int = 0
    failed: int = 0
    commits: int = 0
    output_bytes: int = 0
    errors_bytes: int = 0


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a batch's progress, numbered from 1; it may be sent again."""

    number: int
    output: bytes = b""
    errors: bytes = b""
    ending: Ending | Literal[""] = ""
    fields: Mapping[str, Arg] = {}


class Heard(msgspec.Struct, frozen=True):
    """What a commit's answer asks for."""

    is_cancelled: bool
    is_late: bool


class Batches:
    """The batches of all tenants."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def open(self, tag: str, record: Mapping[str, Arg], *, tenant: str, within_ms: int) -> None:
        """Begin a batch; some gateway will take it."""
        fields: list[Arg] = [word for pair in {**record, "tenant": tenant}.items() for word in pair]
        now: int = await scripts.call(self._broker, "bulk_open", bulk_prefix(tag), [within_ms, KEPT_MS, *fields])
        await enlist(self._broker, bulk_list(tenant, "batches"), tag, now, life_ms=within_ms + KEPT_MS)
        # The last step: what nobody was told of need not be run.
        await self._broker.commands([("HSET", BULK, tag, f"{now} {tenant}"), ("PEXPIRE", BULK, LIST_MS)])

    async def find(self, tag: str) -> Batch | None:
        """A batch by its tag."""
        told: dict[bytes, bytes] = await self._broker.command("HGETALL", f"{bulk_prefix(tag)}:batch")
        if not told:
            return None
        fields: dict[str, Any] = {name.decode(): value.decode() for name, value in told.items()}
        return msgspec.convert(fields | {"tag": tag}, Batch, strict=False)

    async def tags(self, tenant: str) -> list[str]:
        """A tenant's batches, the newest first; some may be gone."""
        return await listed(self._broker, bulk_list(tenant, "batches"))

    async def unfinished(self) -> list[tuple[int, str, str]]:
        """Those that may have to be run: when each was made, its tenant, its tag."""
        told: dict[bytes, bytes] = await self._broker.command("HGETALL", BULK)
        rows = ((tag.decode(), *value.decode().partition(" ")[::2]) for tag, value in told.items())
        return [(int(created), tenant, tag) for tag, created, tenant in rows]

    async def strike(self, tag: str) -> None:
        """Note that there is nothing to run any more."""
        await self._broker.command("HDEL", BULK, tag)

    async def cancel(self, tag: str) -> None:
        """Ask that it be cancelled; one that has ended stays as it is."""
        await scripts.call(self._broker, "bulk_cancel", bulk_prefix(tag), [])

    async def claim(self, tag: str, me: str, lease_ms: int) -> int | Claiming:
        """Take it to run it; the epoch, by which this taking is known."""
        reply: Sequence[Any] = await scripts.call(self._broker, "bulk_claim", bulk_prefix(tag), [me, lease_ms])
        return reply[1] if reply[0] == b"OK" else reply[0].decode().lower()

    async def commit(self, tag: str, epoch: int, commit: Commit, *, lease_ms: int) -> Heard | Losing:
        """Note progress, and renew the lease; a number that was committed before renews it only."""
        args: list[Arg] = [epoch, commit.number, lease_ms, commit.output, commit.errors, commit.ending]
        args += [word for pair in commit.fields.items() for word in pair]
        reply: Sequence[Any] = await scripts.call(self._broker, "bulk_commit", bulk_prefix(tag), args)
        return Heard(bool(reply[1]), bool(reply[2])) if reply[0] == b"OK" else reply[0].decode().lower()
