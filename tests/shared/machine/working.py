"""What a worker may ask of the world, but for a claim: append, finish, fail, release, mine, beat."""

from collections.abc import Sequence
from typing import Literal

from .world import CLASSES, DEAD_AFTER, Job, Telling, World, conclude, end, give_back, poison, return_entry

YOUNG_TOKENS, STRIKES, HAND_BACKS = 16, 2, 3

Told = tuple[str, int, int, list[str]]  # job, attempt, first seq, gists
Verdict = tuple[str, int, str]  # verdict, seq, what is asked of the job


def _mine(world: World, worker_id: str, job_id: str, attempt: int) -> Job | None:
    job = world.jobs.get(job_id)
    return job if job and job.owner == worker_id and job.attempt == attempt else None


def beat(world: World, worker_id: str, busy: int, state: Telling) -> Literal["ok", "lease lost"]:
    """Renew a lease."""
    worker = world.workers.get(worker_id)
    if worker is None or worker.lease == "gone":
        return "lease lost"
    worker.lease, worker.busy, worker.state = "live", busy, state
    return "ok"


def append(world: World, worker_id: str, rows: Sequence[Told]) -> list[Verdict] | Literal["lease lost"]:
    """Log new events and renew the lease; a lease that is not there is told so, whatever became of the rows."""
    verdicts = [_append(world, worker_id, row) for row in rows]
    worker = world.workers.get(worker_id)
    if worker is None or worker.lease == "gone":
        return "lease lost"
    worker.lease = "live"
    return verdicts


def _append(world: World, worker_id: str, row: Told) -> Verdict:
    job_id, attempt, first, gists = row
    job = _mine(world, worker_id, job_id, attempt)
    if job is None:
        return ("fenced", 0, "")
    if first > job.seq + 1:
        return ("gap", job.seq, "")
    if _log(job, first, gists) and job.is_attached:
        _note_hearing(job, is_heard=job_id in world.heard)
    return ("ok", job.seq, job.cancel or ("deadline" if job.lateness else ""))


def _log(job: Job, first: int, gists: Sequence[str]) -> int:
    new = gists[job.seq + 1 - first :]
    job.log += [(job.attempt, gist) for gist in new]
    return len(new)


def _note_hearing(job: Job, *, is_heard: bool) -> None:
    if is_heard:
        job.unheard = ""
    elif not job.unheard:
        job.unheard = "lately"
    elif job.unheard == "long" and not job.cancel:
        job.cancel = "unheard"


def finish(world: World, worker_id: str, row: Told, ending: str) -> tuple[str, int]:
    """End a job with its last events."""
    job_id, attempt, first, gists = row
    job = world.jobs.get(job_id)
    if job is None:
        return ("gone", 0)
    if job.attempt == attempt and job.state == "ended":
        return ("ok", job.seq)
    if not _mine(world, worker_id, job_id, attempt):
        return ("fenced", job.seq)
    if ending == "cancelled" and not job.cancel:
        give_back(world, job)
        return ("back", job.seq)
    if misnumbered := _misnumbered(job, first, gists):
        return (misnumbered, job.seq)
    _log(job, first, gists)
    end(world, job, ending, gists[-1])
    return ("ok", job.seq)


def _misnumbered(job: Job, first: int, gists: Sequence[str]) -> str:
    if first > job.seq + 1:
        return "gap"
    return "fenced" if first + len(gists) <= job.seq + 1 else ""


def fail(world: World, worker_id: str, host: str, jobs: Sequence[tuple[str, int, int]]) -> None:
    """Give an engine's jobs (id, attempt, new tokens) back."""
    for job_id, attempt, new_tokens in jobs:
        if job := _mine(world, worker_id, job_id, attempt):
            _strike(world, job, host, new_tokens)


def _strike(world: World, job: Job, host: str, new_tokens: int) -> None:
    if new_tokens >= YOUNG_TOKENS:
        job.strikes, job.struck_on = 0, ""
        give_back(world, job, is_suspect=False)
        return
    is_anothers_word = job.struck_on != host or not world.another_host_lives(host)
    if job.entry.stream == "sus" and job.strikes + 1 >= STRIKES and is_anothers_word and not job.cancel:
        poison(world, job)
        return
    job.strikes, job.struck_on = job.strikes + 1, job.struck_on or host
    give_back(world, job, not_on=host, is_suspect=True)


def release(world: World, worker_id: str, job_id: str, attempt: int, *, not_on: str, has_no_room: bool) -> None:
    """Hand a job over; want of room is counted until a token came."""
    job = _mine(world, worker_id, job_id, attempt)
    if job is None:
        return
    hand_backs = job.hand_backs + has_no_room if job.is_barren else 0
    is_last = job.is_barren and has_no_room and job.barren + 1 >= DEAD_AFTER
    if hand_backs >= HAND_BACKS or is_last:
        conclude(world, job, "error", "does_not_fit")
        return
    job.hand_backs = hand_backs
    give_back(world, job, not_on=not_on)


def mine(world: World, worker_id: str, lost: Sequence[tuple[str, str]]) -> int:
    """Give back what was delivered to the worker, long ago, and never reached it: entries as (class, id)."""
    entries = [entry for name in CLASSES for entry in world.streams[name] if entry.reader == worker_id]
    return sum(return_entry(world, entry) for entry in entries if (entry.stream, entry.id) in lost)
