"""One client's view of one job: the channel for latency, the log for truth.

`Relay` carries out what `gateway.order` decides. Two tasks touch it, both on the one event loop: the listener's calls
`on_batch`, which never waits, and the request's own awaits `next`, which alone reads the log. So there is no task, no
timer and no queue a stream; silence is watched for all streams together by `gateway.watch`.

A client that does not read costs a bounded buffer: past it events are let go, to be read from the log again later.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Sequence
from types import NoneType
from typing import Protocol

import msgspec

from shared.channel import Batch
from shared.errors import Fault, PoolError
from shared.event import TERMINAL, AnyEvent, Cancelled, Done, Queued, Started, Token, Usage, decode_event
from shared.queue import LogEntry, Peek

from .delivery import Delivery, Tally, Text, Told
from .order import Mark, Order, Verdict
from .silence import Silence

BUFFER_BYTES = 64 * 1_024
LOG_PAGE = 1_000
FRUITLESS_READS = 3

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, struct.error)  # the last: an id that is none
_decode_text = msgspec.json.Decoder(Text).decode


class JobLog(Protocol):
    """What a relay needs of a queue."""

    async def read_log(self, job_id: str, *, after: int = 0, count: int = 1_000) -> list[LogEntry]:
        """Read logged events."""
        ...


class Relay:
    """Gives a job's events in order, each once, until its terminal event."""

    def __init__(
        self,
        log: JobLog,
        job_id: str,
        *,
        tally: Tally,
        mark: Mark | None = None,
        resubmit: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self.job_id = job_id
        self.has_left = False
        self.on_taken: Callable[[Sequence[Delivery]], None] | None = None
        self.rejoins = 0  # how often Redis was found to have lost the tail of the log
        self._log = log
        self._tally = tally
        self._order = Order(mark)
        self._resubmit = resubmit  # given the stream's age in s; None once anything was heard: never generate twice
        self._has_end = False
        self._prompt_tokens = 0
        self._usage: Usage | None = None
        self._pending: list[Delivery] = []
        self._held_bytes = 0
        self.fault: PoolError | None = None  # what ended the stream here
        self._must_read = False
        self._must_submit = False
        self._fruitless_reads = 0
        self._is_nudged = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self.silence = Silence(self._began_at)  # the watch goes by it

    # The client's side.

    @property
    def has_ended(self) -> bool:
        """Whether the job's terminal event is known here."""
        return self._has_end

    @property
    def is_over(self) -> bool:
        """Whether the client has been given everything, the terminal event too."""
        return self._has_end and not self._pending

    @property
    def is_renumbered(self) -> bool:
        """Whether events have other numbers in the log now than the client was told, since their tail was lost."""
        return self._order.client_seq != self._order.seq

    @property
    def used_tokens(self) -> int:
        """Tokens of prompt and answer: as the job's end told them, else as far as they were seen here."""
        if self._usage:
            return self._usage.prompt_tokens + self._usage.completion_tokens
        return self._prompt_tokens + self._order.ids

    async def next(self) -> list[Delivery]:
        """Wait for events and take all there are; none after a nudge, and when the client has left or has it all.

        Raises:
            PoolError: the stream can't go on: stream_lost, stream_diverged, broker_down, draining.

        """
        while not (self._pending or self._is_nudged or self.has_left or self._has_end):
            if self.fault:
                raise self.fault
            if self._must_submit:
                await self._submit_again()
            elif self._must_read:
                await self._read_log()
            else:
                self._wake.clear()
                await self._wake.wait()
        self._is_nudged = False
        taken, self._pending, self._held_bytes = self._pending, [], 0
        if taken and self.on_taken:
            self.on_taken(taken)
        return taken

    def tell(self, queued: Queued) -> None:
        """Let the client know how its job waits: the newest news only, and none behind an event."""
        if not self._pending or isinstance(self._pending[-1].event, Queued):
            self._pending[-1:] = [Delivery(0, self._order.ids, self._order.crc, queued)]
            self._wake.set()

    def leave(self) -> None:
        """The client is gone: nothing is gathered any more."""
        self.has_left = True
        self._wake.set()

    def nudge(self) -> None:
        """Let `next` return, so that the client gets a sign of life."""
        self.silence.sign(self._loop.time())
        self._is_nudged = True
        self._wake.set()

    def fail(self, error: PoolError) -> None:
        """End the stream with this error, behind what is still on its way."""
        self.fault = self.fault or error
        self._wake.set()

    def read_from_log(self) -> None:
        """Fetch what happened while nobody listened."""
        self._must_read = True
        self._wake.set()

    # The channel's side.

    def on_batch(self, batch: Batch) -> None:
        """Take events as they are published."""
        if self._has_end or self.has_left or self.fault:
            return
        self._hear()
        first = batch.first_seq
        verdict = self._order.judge(batch.attempt, batch.worker, first, len(batch.events))
        if verdict is Verdict.DROP:
            return
        if verdict is Verdict.REJOIN:
            self._rejoin()
        elif verdict is Verdict.BACKFILL:
            self._must_read = True
        elif self._held_bytes > BUFFER_BYTES:
            self._tally.overflows += 1
            self._must_read = True
        else:
            for data in batch.events[self._order.seq + 1 - first :]:
                self._accept(batch.attempt, data)
        self._wake.set()

    def on_gap(self) -> None:
        """The channel was lost for a while: whatever was missed is in the log."""
        self.read_from_log()

    # Silence.

    @property
    def is_awaited(self) -> bool:
        """Whether there is anything that may still come."""
        return not (self._has_end or self.has_left or self.fault)

    @property
    def seq(self) -> int:
        """How far the log was followed; to be noted before a look, since events go on meanwhile."""
        return self._order.seq

    def on_peek(self, peek: Peek | None, asked_at_seq: int) -> None:
        """Hear what the job's record said while the channel was silent."""
        self.silence.look(self._loop.time(), has_answer=True)
        order = self._order
        if peek is None:
            self._record_is_gone()
        elif peek.seq < asked_at_seq <= order.seq:
            self._rejoin()
        elif peek.seq > order.seq:
            order.lead = max(order.lead, peek.seq)
            self._must_read = True
        elif peek.state == "ended" and peek.seq == order.seq and not self._has_end:
            self.fail(_lost())
        self._wake.set()

    def on_no_answer(self) -> None:
        """Redis did not answer a look."""
        self.silence.look(self._loop.time(), has_answer=False)
        if self.silence.is_hopeless(self._loop.time()):
            self.fail(Fault("broker_down", "Redis has not answered for a minute; the stream can be resumed later."))

    def _hear(self) -> None:
        self.silence.end(self._loop.time())
        self._resubmit = None
        self._must_submit = False

    def _record_is_gone(self) -> None:
        if self._resubmit:
            self._must_submit = True
        else:
            self.fail(_lost())

    async def _submit_again(self) -> None:
        assert self._resubmit
        self._must_submit = False
        try:
            await self._resubmit(self._loop.time() - self._began_at)
        except PoolError as error:
            if error.code != "broker_down":  # else the watch will find the record missing again
                self.fail(error)

    # The log.

    async def _read_log(self) -> None:
        self._must_read = False
        order, before = self._order, self._order.seq
        self._tally.log_reads += 1
        try:
            entries = await self._log.read_log(self.job_id, after=before, count=LOG_PAGE)
        except Fault:
            return  # the watch looks again, and knows when to give up
        for entry in entries:
            if entry.seq == order.seq + 1:
                self._accept(entry.attempt, entry.data)
        self._must_read |= len(entries) == LOG_PAGE
        if order.seq > before:
            self._hear()
            self._fruitless_reads = 0
            self._must_read |= order.is_behind
        elif order.is_behind:
            self._miss()

    def _miss(self) -> None:
        # Whatever is published is in the log first, unless Redis lost it: the next looks at the record will tell.
        self._fruitless_reads += 1
        if self._fruitless_reads >= FRUITLESS_READS:
            self.fail(_lost())

    def _rejoin(self) -> None:
        self._tally.rejoins += 1
        self.rejoins += 1
        self._order.rejoin()
        self._must_read = True

    def _accept(self, attempt: int, data: bytes) -> None:
        if self._has_end or self.fault:
            return
        try:
            text = _decode_text(data)
            event = text if text.status == "token" else decode_event(data)
            self._has_end = isinstance(event, TERMINAL)
            is_new = self._order.advance(attempt, text.tokens, is_end=self._has_end)
        except PoolError as error:
            self._has_end = False  # the client is told of the error instead
            self.fail(error)
        except _UNREADABLE:
            self._has_end = False
            self.fail(Fault("internal", "An event of this job can't be read."))
        else:
            if not isinstance(event, Text):
                self._note_usage(event)
            if is_new and not isinstance(event, (Queued, Token, NoneType)):
                self._put(event, text, data)

    def _note_usage(self, event: AnyEvent | None) -> None:
        if isinstance(event, Started):
            self._prompt_tokens = event.prompt_tokens
        elif isinstance(event, (Done, Cancelled)):
            self._usage = event.usage

    def _put(self, event: Text | Told, text: Text, data: bytes) -> None:
        order, tally = self._order, self._tally
        self._pending.append(Delivery(order.client_seq, order.ids, order.crc, event))
        self._held_bytes += len(data)
        tally.events += 1
        tally.tokens += len(text.tokens)


def _lost() -> Fault:
    return Fault("stream_lost", "Redis no longer has this job, so the rest of its stream is lost.")
