"""What a worker sees, and what it takes: which entry is for it, whether it can be run, and what it then is."""

from typing import Literal, NamedTuple

from worker.placement import WHEEL

from .world import SLOTS, WINDOW, Entry, Job, Worker, World, conclude, conclude_cancelled, drop, enroll

NOT_ON_MS, NOT_ON_LOADING_MS, ROOM_AFTER_MS = 5_000, 30_000, 3_000


class Grant(NamedTuple):
    """A job as its new owner gets it."""

    job_id: str
    attempt: int
    stream: str
    seq: int
    body: bytes
    job_class: str


class Seen(NamedTuple):
    """What a look shows: the entries, by class in their order, and what is told beside them."""

    entries: list[Entry]
    another_is_free: bool
    suspect: Entry | None
    is_suspect_due: bool


def look(world: World, worker_id: str, now_ms: int) -> Seen | Literal["lease lost"]:
    """Fill the window up, and show what of it is for this worker. An ended lease shows nothing."""
    worker = world.workers.get(worker_id)
    if worker is None or worker.lease == "gone":
        return "lease lost"
    is_free = any(other.busy < SLOTS for other in _ready(world) if other is not worker)
    if worker.lease == "ended":
        return Seen([], is_free, None, is_suspect_due=False)
    suspect = next((entry for entry in world.waiting("sus")[:1] if _is_for(world, worker, entry, now_ms)), None)
    is_due = bool(suspect and _has_to_make_room(world, worker, suspect, now_ms))
    classes = ("re", "hi", "std", "lo")
    for entry in [entry for name in classes for entry in world.streams[name] if not entry.reader]:
        if _fit(world, entry):
            entry.reader = WINDOW
    window = [entry for name in classes for entry in world.streams[name] if entry.reader == WINDOW]
    seen = [entry for entry in window if _is_for(world, worker, entry, now_ms)]
    return Seen([entry for entry in seen if not _is_capped(world, entry)], is_free, suspect, is_due)


def take(
    world: World, worker_id: str, entries: list[Entry], now_ms: int, *, most: int
) -> list[Grant] | Literal["lease lost"]:
    """Take the first of these that can still be taken, up to so many."""
    worker = world.workers.get(worker_id)
    if worker is None or worker.lease == "gone":
        return "lease lost"
    granted: list[Grant] = []
    for entry in entries if worker.lease == "live" else []:
        is_there = entry in world.streams[entry.stream]
        is_next = entry.stream == "sus" and world.waiting("sus")[:1] == [entry]
        may_take = entry.reader == WINDOW or (is_next and _is_for(world, worker, entry, now_ms))
        if is_there and may_take and len(granted) < most:
            entry.reader = worker.id
            world.consumers.add((entry.stream, worker.id))
            if job := _fit(world, entry):
                granted.append(_grant(worker, job))
    return granted


def in_turn(worker: Worker, seen: Seen, free: int, held: int) -> list[Entry]:
    """What comes first of what is seen."""
    if seen.is_suspect_due:
        return [] if held or not seen.suspect else [seen.suspect]
    left, taken = list(seen.entries), list[Entry]()
    while left and len(taken) < free:
        order = ("re", WHEEL[(worker.turn + len(taken)) % len(WHEEL)], "hi", "std", "lo")
        entry = next(entry for name in order for entry in left if entry.stream == name)
        left.remove(entry)
        taken.append(entry)
    return taken or ([seen.suspect] if seen.suspect and not held else [])


def _ready(world: World) -> list[Worker]:
    return [worker for worker in world.alive() if worker.state == "ready"]


def _age_ms(entry: Entry, now_ms: int) -> int:
    return now_ms - int(entry.id.partition("-")[0])


def _is_capped(world: World, entry: Entry) -> bool:
    return world.has_its_share(world.jobs[entry.job_id].tenant)


def _is_for(world: World, worker: Worker, entry: Entry, now_ms: int) -> bool:
    if entry.not_on != worker.host:
        return True
    if _age_ms(entry, now_ms) < NOT_ON_MS:
        return not world.another_host_lives(worker.host)
    return _age_ms(entry, now_ms) >= NOT_ON_LOADING_MS or not world.another_host_comes(worker.host)


def _has_to_make_room(world: World, worker: Worker, suspect: Entry, now_ms: int) -> bool:
    """Whether a suspect has waited so long that this worker, the first that may take it, must become empty for it."""
    may_take = [other.id for other in _ready(world) if _is_for(world, other, suspect, now_ms)]
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
    return Grant(job.id, job.attempt, job.entry.stream, job.seq, job.entry.body, job.job_class)
