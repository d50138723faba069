"""Who listens to which job here, and what becomes of a job when the last one has left.

The listener counts a process's clients per channel, Redis the processes. So a job that lingers without its clients is
listened to from here all the same, for Redis to see; then this process unsubscribes, waits for the confirmation, and
cancels it *if it is unheard*: whoever came meanwhile, here or at another gateway, keeps it running. Only a job that a
client submitted here is cancelled from here; those of a gateway that died are ended by the reapers after the orphan
grace, and direct jobs by nobody.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import NamedTuple

import structlog

from shared.channel import Listener, Subscription, parse_batch
from shared.errors import Fault, PoolError
from shared.queue import Queue

from .relay import Relay
from .watch import Watch

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
UNHEARD = "unheard"  # a submit that meets a job cancelled for this reason starts it anew
CANCEL_AGAIN_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # with Redis away; past the orphan grace the job is ended by others


class _Lingering(NamedTuple):
    """A job that waits for its clients to come back."""

    waiting: asyncio.Task[None]
    subscription: Subscription


class Audience:
    """The clients of this process, by job."""

    def __init__(self, listener: Listener, watch: Watch, tasks: asyncio.TaskGroup) -> None:
        self._listener = listener
        self._watch = watch
        self._tasks = tasks  # where jobs are seen out when their client, and its request, are gone
        self._lingering: dict[str, _Lingering] = {}
        self._present: Counter[str] = Counter()
        self._lingers_ms: dict[str, int] = {}
        self._dismissal: Fault | None = None
        self._is_dismissed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def attend(self, queue: Queue, relays: Sequence[Relay]) -> AsyncGenerator[None]:
        """Listen while the block runs; leaving it before a job's end may cancel the job.

        Raises:
            Fault: Redis does not answer.

        """
        subscriptions = [_subscription(queue, relay) for relay in relays]
        await self._listener.listen_all(subscriptions)
        for relay in relays:
            self._present[relay.job_id] += 1
            await self._stop_lingering(relay.job_id)
        try:
            yield
        finally:
            async with contextlib.AsyncExitStack() as leaving:  # each of them, whatever becomes of another
                for relay, subscription in zip(relays, subscriptions, strict=True):
                    self._watch.discard(relay)
                    self._count_out(relay.job_id)
                    relay.leave()
                    leaving.push_async_callback(self._leave, queue, relay, subscription)

    def watch(self, queue: Queue, relays: Sequence[Relay]) -> None:
        """Have their silence noticed: from now on their jobs have records, and one without is lost."""
        for relay in relays:
            self._watch.add(queue, relay)
            if self._dismissal:
                relay.fail(self._dismissal)

    def owns(self, job_id: str, linger_ms: int) -> None:
        """Note that the job was submitted here for somebody: it may be cancelled when nobody is left."""
        self._lingers_ms[job_id] = linger_ms

    def dismiss(self) -> None:
        """End every stream: this process stops. The jobs go on, so that their clients may resume them elsewhere."""
        self._dismissal = Fault("draining", "This gateway stops; the stream can be resumed at another one.")
        self._is_dismissed.set()
        for lingering in self._lingering.values():
            lingering.waiting.cancel()
        self._watch.fail_all(self._dismissal)

    # The leaving.

    def _count_out(self, job_id: str) -> None:
        self._present[job_id] -= 1
        if not self._present[job_id]:
            del self._present[job_id]

    async def _leave(self, queue: Queue, relay: Relay, subscription: Subscription) -> None:
        job_id = relay.job_id
        if relay.has_ended or self._dismissal:
            self._lingers_ms.pop(job_id, None)
        elif job_id not in self._present and (linger_ms := self._lingers_ms.get(job_id)) is not None:
            # Not here: an answer that tells of a Redis in trouble must not wait until that is out of it.
            subscription.hush()
            self._see_out(queue, job_id, subscription, linger_ms)
            return
        await self._listener.mute(subscription)

    def _see_out(self, queue: Queue, job_id: str, subscription: Subscription, linger_ms: int) -> None:
        if linger_ms:
            waiting = self._tasks.create_task(self._linger(queue, job_id, subscription, linger_ms))
            self._lingering[job_id] = _Lingering(waiting, subscription)
        else:
            self._tasks.create_task(self._give_up(queue, job_id, subscription))

    async def _linger(self, queue: Queue, job_id: str, subscription: Subscription, linger_ms: int) -> None:
        await asyncio.sleep(linger_ms / 1_000)
        del self._lingering[job_id]
        await self._give_up(queue, job_id, subscription)

    async def _stop_lingering(self, job_id: str) -> None:
        if lingering := self._lingering.pop(job_id, None):
            lingering.waiting.cancel()
            await self._listener.mute(lingering.subscription)  # somebody listens: it is not the last one

    async def _give_up(self, queue: Queue, job_id: str, subscription: Subscription) -> None:
        if not await self._listener.mute(subscription):
            return
        outcome = await self._cancel(queue, job_id)
        if job_id not in self._present and job_id not in self._lingering:
            self._lingers_ms.pop(job_id, None)
        log.info("job_abandoned", job=job_id, outcome=outcome)

    async def _cancel(self, queue: Queue, job_id: str) -> str:
        # More than once: a Redis that did not answer the submit in time may have taken the job all the same.
        outcome = ""
        for pause_s in (*CANCEL_AGAIN_S, None):
            try:
                return await queue.cancel(job_id, reason=UNHEARD, if_unheard=True)
            except PoolError as error:
                outcome = error.code
            if pause_s is None or self._dismissal:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._is_dismissed.wait()
        return outcome


def _subscription(queue: Queue, relay: Relay) -> Subscription:
    return Subscription(queue.keys.channel(relay.job_id).encode(), partial(_hear, relay), relay.on_gap)


def _hear(relay: Relay, payload: bytes) -> None:
    # One connection carries everybody's channels: what one publisher garbles must not end it.
    try:
        batch = parse_batch(payload)
    except ValueError:
        relay.read_from_log()
    else:
        relay.on_batch(batch)
