"""Streams straight from the broker: jobs put on the queue, their channels followed, with no gateway in between."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from shared.channel import Batch, Listener
from shared.connection import connect
from shared.job import DEFAULT_TIMEOUT_MS
from shared.pool import Pool
from shared.queue import Queue, Submission, new_job_id

from .orders import ViaChannel
from .recording import Line, Recording

_END = b'"status":"done"'
_POLL_S = 0.005


class Stream:
    """One job's channel."""

    def __init__(self) -> None:
        self._batches: list[tuple[int, Batch]] = []
        self._asked_ns = 0
        self.is_over = asyncio.get_running_loop().create_future()

    async def begin(self, queue: Queue, listener: Listener, body: str) -> None:
        """Listen, then submit."""
        job_id = new_job_id(queue.model)
        self._asked_ns = time.monotonic_ns()
        await listener.listen(queue.keys.channel(job_id), self._take, lambda: None)
        await queue.submit([Submission(job_id, body.encode(), DEFAULT_TIMEOUT_MS)])

    def recording(self) -> Recording:
        """Read what came."""
        lines = [Line(at_ns, data) for at_ns, batch in self._batches for data in batch.events]
        return Recording(self._asked_ns, self._batches[-1][0], len(self._batches), lines)

    def _take(self, batch: Batch) -> None:
        self._batches.append((time.monotonic_ns(), batch))
        if _END in batch.events[-1] and not self.is_over.done():
            self.is_over.set_result(None)


async def follow(order: ViaChannel) -> Sequence[Stream]:
    """Carry out an order."""
    broker = connect(order.redis, name="bench")
    listener = Listener(order.redis, name="bench-channels")
    listening = asyncio.create_task(listener.run())
    queue = Pool(broker).queue(order.model)
    streams = [Stream() for _ in order.bodies]
    while not listener.is_connected:  # noqa: ASYNC110 it has no signal for that, and this is before the measurement
        await asyncio.sleep(_POLL_S)
    begun = (stream.begin(queue, listener, body) for stream, body in zip(streams, order.bodies, strict=True))
    await asyncio.gather(*begun)
    await asyncio.gather(*(stream.is_over for stream in streams))
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    await broker.aclose()
    return streams
