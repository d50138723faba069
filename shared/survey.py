"""The state of a queue and its workers, at one instant."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .standing import SHARES, jobs_before_new
from .waits import Waited, decode_waits, expected_wait_ms, merged, waited_like


class WorkerView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A worker as it tells of itself in its heartbeat."""

    id: str
    model: str = ""
    host: str = ""
    # standby: it loads the model when a job waits; loading, ready; draining: it takes no more; sick: it rests;
    # gone: only its lease is left
    state: str = "gone"
    slots: int = 0
    busy: int = 0
    version: str = ""
    engine: str = ""
    device: str = ""
    note: str = ""
    lease_ends_in_ms: int = 0
    tokens_per_second: float = 0.0
    reads_per_second: float = 0.0  # tokens of prompts, as measured of late
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
    load_s: float = 0.0  # how long loading the model takes here, with what has to leave before it; 0: not known
    progress: float = 0.0  # of the loading under way, 0 … 1
    coming: bool = False  # it stands by, and makes room for the model now
    loads: int = 0  # of the model, since this worker's process began
    unloads: int = 0
    pinned: bool = False  # the model stays loaded

    @property
    def is_standing_by(self) -> bool:
        """Whether it would load the model for a job."""
        return self.state == "standby" and self.lease_ends_in_ms > 0

    @property
    def is_making_room(self) -> bool:
        """Whether it is about to load the model: others leave for it."""
        return self.is_standing_by and self.coming

    @property
    def may_serve(self) -> bool:
        """Whether a job that comes now would get its turn here: at once, or once the model is loaded for it."""
        is_loading_on_demand = self.state == "loading" and not self.pinned and self.lease_ends_in_ms > 0
        return self.is_ready or self.is_standing_by or is_loading_on_demand

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
    waits: dict[str, Waited] = {}  # of the last minute, by class and size (`shared.waits`)

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
    def may_serve(self) -> bool:
        """Whether a job that comes now would get its turn, though the model may have to be loaded first."""
        return any(worker.may_serve for worker in self.workers)

    @property
    def loading(self) -> float | None:
        """How far the model is loaded, 0 … 1, where nobody is ready and somebody loads it; else None."""
        if self.ready_workers:
            return None
        told = [worker.progress for worker in self.live_workers if worker.state == "loading"]
        return max(0.0, min(1.0, max(told))) if told else None

    @property
    def expected_wait_ms(self) -> int | None:
        """How long a job of class `std` that comes now would wait; None when unknown."""
        return self.wait_ms_of_new("std")

    @property
    def expected_wait_ms_by_class(self) -> dict[str, int | None]:
        """How long a job that comes now would wait, of each class."""
        return {name: self.wait_ms_of_new(name) for name in SHARES}

    def wait_ms_of_new(self, job_class: str, tokens: int | None = None) -> int | None:
        """How long a job that comes now would wait, of this class and about so many prompt tokens, if that is known."""
        return self.wait_ms_behind(jobs_before_new(job_class, self.waiting), job_class, tokens)

    def wait_ms_behind(self, jobs: int, job_class: str = "", tokens: int | None = None) -> int | None:
        """How long a job waits that so many go before; None when unknown: nobody is ready, or has ended a job of late.

        Without a class nothing that was measured is taken for its like.
        """
        if not self.ready_workers:
            return None
        ends_per_second = sum(worker.most_jobs_per_second for worker in self.ready_workers)
        like = waited_like(self.waits, job_class, tokens)
        return expected_wait_ms(jobs + 1 - self.free_slots, ends_per_second, like)


def read_survey(model: str, reply: Sequence[Any]) -> Survey:
    """Read what the script `survey` returns."""
    now_ms, oldest_ms, running, waiting, workers, dead = reply
    rows = [
        (worker_id.decode(), int(ends_in_ms), _told(flat))
        for worker_id, ends_in_ms, flat in zip(workers[::3], workers[1::3], workers[2::3], strict=True)
    ]
    return Survey(
        model=model,
        now_ms=int(now_ms),
        waiting={name.decode(): n for name, n in zip(waiting[::2], waiting[1::2], strict=True)},
        running=running,
        oldest_wait_ms=int(oldest_ms),
        workers=[_worker(*row) for row in rows],
        dead_letters=dead,
        waits=merged(decode_waits(told.get("waits", "")) for _, ends_in_ms, told in rows if ends_in_ms > 0),
    )


def _told(flat: Sequence[bytes]) -> dict[str, str]:
    # Nothing that one worker writes of itself may hide the others.
    words = [word.decode(errors="replace") for word in flat]
    return dict(zip(words[::2], words[1::2], strict=True))


def _worker(worker_id: str, ends_in_ms: int, told: Mapping[str, str]) -> WorkerView:
    known = {name: told[name] for name in WorkerView.__struct_fields__ if name in told}
    own = {"id": worker_id, "lease_ends_in_ms": ends_in_ms}
    try:
        return msgspec.convert(known | own, WorkerView, strict=False)
    except msgspec.ValidationError:  # another version's, or garbled: what can be read of it counts
        read = {name: value for name, value in known.items() if _can_be_read(name, value)}
        return msgspec.convert(read | own, WorkerView, strict=False)


def _can_be_read(name: str, value: str) -> bool:
    try:
        msgspec.convert({"id": "", name: value}, WorkerView, strict=False)
    except msgspec.ValidationError:
        return False
    return True
