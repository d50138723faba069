"""All queues of one Redis: which models there are, and which queue an id belongs to."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .connection import Broker
from .identity import is_run_of
from .job import queue_tag
from .keys import MODELS
from .queue import Queue


class Pool:
    """The queues of one Redis."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queues: dict[str, Queue] = {}

    async def models(self) -> frozenset[str]:
        """The models that a worker has ever served here: a queue exists when its first worker has registered."""
        names: set[bytes] = await self._broker.command("SMEMBERS", MODELS)
        return frozenset(name.decode() for name in names)

    async def has_kept_all_since(self, at_ms: int) -> bool:
        """Whether nothing that was written since then, by the broker's clock, can have been lost.

        A server loses its newest writes in a crash, or where it was a replica that took over. When that was nobody
        knows, so one that ever took over is not believed.
        """
        info: dict[str, Any] = await self._broker.command("INFO")
        # Both its start and its age are told in whole seconds.
        started_by_ms = int(info["server_time_usec"]) // 1_000 - (int(info["uptime_in_seconds"]) - 1) * 1_000
        return at_ms > started_by_ms and int(info.get("second_repl_offset", -1)) < 0

    def queue(self, model: str) -> Queue:
        """The queue of a model, whether it exists yet or not."""
        return self._queues.setdefault(model, Queue(self._broker, model))

    async def queue_of(self, job_id: str) -> Queue | None:
        """The queue that knows this job, or None: by the tag in ids made by gateways, else by asking each."""
        models = await self.models()
        tag = job_id.partition("-")[0]
        for model in models:
            if queue_tag(model) == tag:
                return self.queue(model)
        for model in sorted(models):
            if (await self.queue(model).peek([job_id]))[0]:
                return self.queue(model)
        return None

    async def by_queue(self, job_ids: Iterable[str]) -> list[tuple[Queue, list[str]]]:
        """Jobs by the queue that their ids name; those whose ids name none are left out."""
        queues = {queue_tag(model): self.queue(model) for model in await self.models()}
        found: defaultdict[str, list[str]] = defaultdict(list)
        for job_id in job_ids:
            found[job_id.partition("-")[0]].append(job_id)
        return [(queues[tag], each) for tag, each in found.items() if tag in queues]

    async def bury(self, host: str, pid: int) -> int:
        """Tell all queues that this worker process is gone, by who saw it end; returns how many jobs went back.

        Nobody has to wait for its lease then.
        """
        given_back = 0
        for model in await self.models():
            queue = self.queue(model)
            for worker in (await queue.survey()).workers:
                if is_run_of(worker.id, host, pid) and (reaped := await queue.reap(gone=worker.id)):
                    given_back += reaped.given_back
        return given_back
