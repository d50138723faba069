"""What a claim takes: which entry is for this worker, whether it can be run, and what it then is."""

from typing import Literal, NamedTuple

from .world import Entry, Job, Worker, World, conclude, conclude_cancelled, drop, enroll

WHEEL = ("hi", "hi", "hi", "std", "hi", "hi", "std", "hi", "hi", "std", "hi", "lo")
NOT_ON_MS, ROOM_AFTER_MS = 5_000, 3_000
SLOTS = 2


class Grant(NamedTuple):
    """A job as its new owner gets it."""

    job_id: str
    attempt: int
    stream: str
    seq: int
    body: bytes


def claim(
    world: World, worker_id: str, free: int, held: int, now_ms: int, *, yields: bool = False
) -> list[Grant] | Literal["lease lost"]:
    """Take up to so many waiting jobs."""
    worker = world.workers.get(worker_id)
    if worker is None or worker.lease == "gone":
        return "lease lost"
    granted: list[Grant] = []
    if worker.lease == "ended" or (yields and _another_is_free(world, worker)):
        return granted
    while len(granted) < free and (entry := _next(world, worker, held, now_ms)):
        entry.reader = worker.id
        world.consumers.add((entry.stream, worker.id))
        if job := _fit(world, entry):
            granted.append(_grant(worker, job))
            held += 1
            if entry.stream == "sus":
                break
    return granted


def _another_is_free(world: World, worker: Worker) -> bool:
    return any(other.busy < SLOTS for other in world.alive() if other is not worker)


def _next(world: World, worker: Worker, held: int, now_ms: int) -> Entry | None:
    suspect = _head(world, worker, "sus", now_ms)
    if suspect and _has_to_make_room(world, worker, suspect, now_ms):
        return None if held else suspect
    for stream in ("re", WHEEL[worker.turn % len(WHEEL)], "hi", "std", "lo"):
        if entry := _head(world, worker, stream, now_ms):
            return entry
    return None if held else suspect


def _age_ms(entry: Entry, now_ms: int) -> int:
    return now_ms - int(entry.id.partition("-")[0])


def _head(world: World, worker: Worker, stream: str, now_ms: int) -> Entry | None:
    entry = next(iter(world.unread(stream)), None)
    is_for_others = entry and entry.not_on == worker.host and world.another_host_lives(worker.host)
    return None if entry is None or (is_for_others and _age_ms(entry, now_ms) < NOT_ON_MS) else entry


def _has_to_make_room(world: World, worker: Worker, suspect: Entry, now_ms: int) -> bool:
    """Whether a suspect has waited so long that this worker, the first that may take it, must become empty for it."""
    is_bound = world.another_host_lives(suspect.not_on)
    may_take = [other.id for other in world.alive() if other.host != suspect.not_on or not is_bound]
    return _age_ms(suspect, now_ms) >= ROOM_AFTER_MS and bool(may_take) and min(may_take) == worker.id


def _fit(world: World, entry: Entry) -> Job | None:
    if entry.flaw == "bad id":
        world.dead.append(("bad id", "no id"))
        conclude(world, enroll(world, entry), "error", "invalid_value")
        return None
    job = world.jobs.get(entry.job_id)
    if job and job.entry is not entry:
        if job.body != entry.body:
            world.dead.append(("same id, other body", entry.job_id if entry.is_named else ""))
        drop(world, entry)
        return None
    return _worth_running(world, job or enroll(world, entry))


def _worth_running(world: World, job: Job) -> Job | None:
    if job.entry.flaw:
        conclude(world, job, "error", job.entry.flaw)
    elif job.cancel:
        conclude_cancelled(world, job, job.cancel)
    elif job.lateness:
        conclude(world, job, "error", "deadline_exceeded")
    elif job.is_attached and job.unheard == "long" and job.id not in world.heard:
        conclude_cancelled(world, job, "unheard")
    else:
        return job
    return None


def _grant(worker: Worker, job: Job) -> Grant:
    job.attempt += 1
    job.state, job.owner, job.mark = "running", worker.id, job.seq
    job.is_timed = True
    worker.turn += 1
    return Grant(job.id, job.attempt, job.entry.stream, job.seq, job.entry.body)
