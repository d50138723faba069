"""The relay order: which of a job's events a client gets next, decided on values alone.

Pub/sub brings events quickly but may lose any of them; the log has all. So the rule is: have+1 → deliver, lower → drop,
higher → read the log. And because Redis itself can lose the tail of a log in a crash, every client's stream is guarded
by the number and the CRC32 of the ids that it was sent: before a stream goes on behind a new tail, both must agree.

No clock and no I/O live here: `gateway.relay` carries these decisions out.
"""

import re
import struct
from collections.abc import Sequence
from enum import Enum, auto
from zlib import crc32

import msgspec

from shared.errors import Fault, Refused

NOBODY = "-"  # the worker named by events that a script wrote: it proves nothing about who runs the job
_MARK = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15})-([0-9a-f]{8}))?")
_pack_id = struct.Struct("<I").pack


class Verdict(Enum):
    """What to do with a batch from the channel."""

    DELIVER = auto()
    DROP = auto()
    BACKFILL = auto()
    REJOIN = auto()  # Redis lost the log's tail: read it again from 1 and compare


class Mark(msgspec.Struct, frozen=True):
    """Where a client stands: the last `seq` it has, and the ids sent up to there; None when it gave a bare seq."""

    seq: int
    ids: int | None = None
    crc: int = 0
    is_live: bool = False  # this very stream was interrupted, so its end cannot have been sent yet


def read_mark(text: str) -> Mark:
    """Read what a client gives as its place: `<seq>` or an SSE id of ours.

    Raises:
        Refused: it is neither.

    """
    found = _MARK.fullmatch(text.strip())
    if not found:
        raise Refused("invalid_value", "`after` is a seq, or the id of an event as it was sent.", param="after")
    seq, ids, crc = found.groups()
    return Mark(int(seq)) if ids is None else Mark(int(seq), int(ids), int(crc, 16))


class Order:
    """Follows one job's log for one client; `seq`, `ids` and `crc` tell how far."""

    __slots__ = ("_mark", "_shift", "attempt", "crc", "ids", "lead", "seq", "worker")

    def __init__(self, mark: Mark | None = None) -> None:
        self._mark = mark  # what the client has already, while the log is followed up to there
        self._shift = 0  # the log's seq minus the client's: not 0 only behind a tail that was lost and written anew
        self._restart()

    def _restart(self) -> None:
        self.seq = self.ids = self.crc = 0
        self.attempt = 0
        self.worker = ""
        self.lead = 0  # the highest seq that is known to exist

    @property
    def client_seq(self) -> int:
        """The last event's number as the client counts: without holes, whatever happened to the log."""
        return self.seq - self._shift

    @property
    def is_behind(self) -> bool:
        """Whether there are events that have not been seen here."""
        return self.lead > self.seq

    def judge(self, attempt: int, worker: str, first: int, count: int) -> Verdict:
        """Decide on the events `first` … `first + count - 1` that a worker published under an attempt."""
        last = first + count - 1
        if self._shows_a_lost_tail(attempt, worker, first, last):
            return Verdict.REJOIN
        self.lead = max(self.lead, last)
        if last <= self.seq:
            return Verdict.DROP
        if first > self.seq + 1:
            return Verdict.BACKFILL
        self.attempt = attempt
        if worker != NOBODY:
            self.worker = worker
        return Verdict.DELIVER

    def _shows_a_lost_tail(self, attempt: int, worker: str, first: int, last: int) -> bool:
        # An event is logged before it is published, so a whole log is never behind what was seen here.
        if attempt > self.attempt:
            return first <= self.seq
        if attempt < self.attempt:
            return last > self.seq  # the claims were lost too, and the attempts are counted anew
        return worker != self.worker and NOBODY not in (worker, self.worker or NOBODY)

    def advance(self, attempt: int, tokens: Sequence[int], *, is_end: bool) -> bool:
        """Step over the next event; tells whether the client gets it.

        Raises:
            Fault: stream_diverged, when the ids sent are not the ones logged.

        """
        ids, crc = self.ids, self.crc
        self.seq += 1
        if attempt != self.attempt:
            self.attempt, self.worker = attempt, ""
        if tokens:
            self.ids = ids + len(tokens)
            for token in tokens:
                self.crc = crc32(_pack_id(token), self.crc)
        return self._mark is None or self._is_behind_mark(self._mark, ids, crc, is_end=is_end)

    def _is_behind_mark(self, mark: Mark, ids: int, crc: int, *, is_end: bool) -> bool:
        # `ids` and `crc` are those before the event just stepped over.
        is_new = self.seq > mark.seq or (is_end and (mark.is_live or self.seq < mark.seq))
        if mark.ids is not None:
            if ids == mark.ids and crc != mark.crc:
                raise _diverged()
            if ids < mark.ids:
                if self.ids > mark.ids or is_end:
                    raise _diverged()
                return False
            is_new = is_new or self.ids > ids
            if is_new:
                self._shift = self.seq - 1 - mark.seq
        if is_new:
            self._mark = None
        return is_new

    def rejoin(self) -> None:
        """Follow the log from its beginning again, and deliver only behind what the client was sent."""
        if self._mark is None:
            self._mark = Mark(self.client_seq, self.ids, self.crc, is_live=True)
        self._restart()


def _diverged() -> Fault:
    return Fault(
        "stream_diverged", "Redis lost a part of this stream, and what was written anew differs from what was sent."
    )
