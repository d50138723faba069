"""Who listens to which job here, and what becomes of a job when the last one has left.

The listener counts a process's clients per channel, Redis the processes. So the last client to leave unsubscribes,
waits for the confirmation, lingers, and cancels the job *if it is unheard*: the one that came meanwhile, here or at
another gateway, keeps it running. Only a job that a client submitted here is cancelled from here; those of a gateway
that died are ended by the reapers after the orphan grace, and direct jobs by nobody.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from functools import partial

import structlog

from shared.channel import Listener, parse_batch
from shared.errors import Fault, PoolError
from shared.queue import Queue

from .relay import Relay
from .watch import Watch

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
UNHEARD = "unheard"  # a submit that meets a job cancelled for this reason starts it anew


class Audience:
    """The clients of this process, by job."""

    def __init__(self, listener: Listener, watch: Watch, tasks: asyncio.TaskGroup) -> None:
        self._listener = listener
        self._watch = watch
        self._tasks = tasks  # where jobs linger when their client, and its request, are gone
        self._lingering: set[asyncio.Task[None]] = set()
        self._present: Counter[str] = Counter()
        self._lingers_ms: dict[str, int] = {}
        self._is_dismissed = False

    @contextlib.asynccontextmanager
    async def attend(self, queue: Queue, relay: Relay) -> AsyncGenerator[None]:
        """Listen while the block runs; leaving it before the job's end may cancel the job.

        Raises:
            Fault: Redis does not answer.

        """
        channel = queue.keys.channel(relay.job_id)
        subscription = await self._listener.listen_raw(channel, partial(_hear, relay), relay.on_gap)
        self._present[relay.job_id] += 1
        self._watch.add(queue, relay)
        try:
            yield
        finally:
            self._watch.discard(relay)
            self._count_out(relay.job_id)
            relay.leave()
            is_last = await self._listener.mute(subscription)
            await self._after(queue, relay, is_last=is_last)

    def owns(self, job_id: str, linger_ms: int) -> None:
        """Note that the job was submitted here for somebody: it may be cancelled when nobody is left."""
        self._lingers_ms[job_id] = linger_ms

    def dismiss(self) -> None:
        """End every stream: this process stops. The jobs go on, so that their clients may resume them elsewhere."""
        self._is_dismissed = True
        for lingering in self._lingering:
            lingering.cancel()
        self._watch.fail_all(Fault("draining", "This gateway stops; the stream can be resumed at another one."))

    def _count_out(self, job_id: str) -> None:
        self._present[job_id] -= 1
        if not self._present[job_id]:
            del self._present[job_id]

    async def _after(self, queue: Queue, relay: Relay, *, is_last: bool) -> None:
        job_id = relay.job_id
        if relay.has_ended or self._is_dismissed:
            self._lingers_ms.pop(job_id, None)
        elif is_last and (linger_ms := self._lingers_ms.get(job_id)) is not None:
            if linger_ms:
                lingering = self._tasks.create_task(self._linger(queue, job_id, linger_ms))
                self._lingering.add(lingering)
                lingering.add_done_callback(self._lingering.discard)
            else:
                await self._cancel(queue, job_id)

    async def _linger(self, queue: Queue, job_id: str, linger_ms: int) -> None:
        await asyncio.sleep(linger_ms / 1_000)
        if not self._present[job_id]:
            await self._cancel(queue, job_id)

    async def _cancel(self, queue: Queue, job_id: str) -> None:
        try:
            outcome = await queue.cancel(job_id, reason=UNHEARD, if_unheard=True)
        except PoolError as error:
            outcome = error.code  # the orphan grace ends the job
        if not self._present[job_id]:
            self._lingers_ms.pop(job_id, None)
        log.info("job_abandoned", job=job_id, outcome=outcome)


def _hear(relay: Relay, payload: bytes) -> None:
    # One connection carries everybody's channels: what one publisher garbles must not end it.
    try:
        batch = parse_batch(payload)
    except ValueError:
        relay.read_from_log()
    else:
        relay.on_batch(batch)
