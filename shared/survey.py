"""The state of a queue and its workers, at one instant."""

from collections.abc import Sequence
from typing import Any

import msgspec


class WorkerView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A worker as it tells of itself in its heartbeat."""

    id: str
    model: str = ""
    host: str = ""
    state: str = "gone"  # loading, ready, draining, broken; gone: only its lease is left
    slots: int = 0
    busy: int = 0
    version: str = ""
    engine: str = ""
    device: str = ""
    note: str = ""
    lease_ends_in_ms: int = 0
    tokens_per_second: float = 0.0
    jobs_per_second: float = 0.0
    job_seconds: float = 0.0  # from claim to end, the mean of its last jobs
    jobs_done: int = 0
    tokens_done: int = 0
    engine_deaths: int = 0
    memory_bytes: int = 0
    memory_limit_bytes: int = 0  # what its engine may have
    pressure: str = ""  # soft: memory is short, it takes no second job; hard: it hands jobs back
    kv_bytes: int = 0
    cache_bytes: int = 0
    cache_hits: int = 0  # of its present engine, as are the tokens
    cache_saved_tokens: int = 0
    prompt_tokens: int = 0  # of its present engine's jobs, with those that its cache saved
    handed_back: int = 0  # jobs, for want of memory
    looks: int = 0  # at the queue, since it began
    home_claims: int = 0  # of jobs whose prompt's beginning was read here
    forced_claims: int = 0  # of jobs that another living worker was home to: many of them are a sign to add a machine
    held_s: float = 0.0  # with a free seat while jobs waited that were left to others

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs: its lease lives and its engine is up."""
        return self.state == "ready" and self.lease_ends_in_ms > 0

    @property
    def free_slots(self) -> int:
        """How many jobs it would take at once; short of memory, one if it has none."""
        free = max(0, self.slots - self.busy)
        return free if not self.pressure else min(free, int(self.busy == 0))

    @property
    def most_jobs_per_second(self) -> float:
        """How many jobs it ends a second while some wait: its seats, each for as long as a job has one."""
        if self.job_seconds <= 0:
            return self.jobs_per_second
        return (self.busy + self.free_slots) / self.job_seconds


class Survey(msgspec.Struct, frozen=True):
    """What waits, what runs, who works. `waiting` is by class; `oldest_wait_ms` is 0 when nothing waits."""

    model: str
    now_ms: int
    waiting: dict[str, int]
    running: int
    oldest_wait_ms: int
    workers: list[WorkerView]
    dead_letters: int

    @property
    def waiting_total(self) -> int:
        """How many jobs nobody has claimed."""
        return sum(self.waiting.values())

    @property
    def live_workers(self) -> list[WorkerView]:
        """The workers whose lease has not ended, ready or not."""
        return [worker for worker in self.workers if worker.lease_ends_in_ms > 0]

    @property
    def ready_workers(self) -> list[WorkerView]:
        """The workers that take jobs."""
        return [worker for worker in self.workers if worker.is_ready]

    @property
    def free_slots(self) -> int:
        """Seats that a job could take at once."""
        return sum(worker.free_slots for worker in self.ready_workers)

    @property
    def expected_wait_ms(self) -> int | None:
        """How long a job submitted now would wait; None when unknown."""
        return self.wait_ms_behind(self.waiting_total)

    def wait_ms_behind(self, jobs: int) -> int | None:
        """How long a job waits that so many go before; None when unknown, since no worker has ended a job of late."""
        ends_first = jobs + 1 - self.free_slots
        if ends_first <= 0:
            return 0
        rate = sum(worker.most_jobs_per_second for worker in self.ready_workers)
        return int(ends_first / rate * 1_000) if rate > 0 else None


def read_survey(model: str, reply: Sequence[Any]) -> Survey:
    """Read what the script `survey` returns."""
    now_ms, oldest_ms, running, waiting, workers, dead = reply
    return Survey(
        model=model,
        now_ms=int(now_ms),
        waiting={name.decode(): n for name, n in zip(waiting[::2], waiting[1::2], strict=True)},
        running=running,
        oldest_wait_ms=int(oldest_ms),
        workers=[_worker(*row) for row in zip(workers[::3], workers[1::3], workers[2::3], strict=True)],
        dead_letters=dead,
    )


def _worker(worker_id: bytes, ends_in_ms: bytes, flat: Sequence[bytes]) -> WorkerView:
    told = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
    known = {name: told[name] for name in WorkerView.__struct_fields__ if name in told}
    return msgspec.convert(
        known | {"id": worker_id.decode(), "lease_ends_in_ms": int(ends_in_ms)}, WorkerView, strict=False
    )
