"""What producers may ask of the world: submit, add directly, cancel."""

from collections.abc import Sequence
from typing import Literal

from .world import CLASSES, Entry, Job, World, cancel_job, find

Submitted = list[tuple[str, bool]]  # state, is new


def submit(
    world: World, asks: Sequence[tuple[str, bytes]], job_class: str, *, is_attached: bool, tenant: str
) -> Submitted | Literal["queue_full", "idempotency_mismatch"]:
    """Add jobs, all or none, each id once; a refusal changes nothing."""
    fresh: dict[str, bytes] = {}
    answer: Submitted = []
    for job_id, body in asks:
        job = world.jobs.get(job_id)
        known = fresh.get(job_id, job.body if job else body)
        if known != body:
            return "idempotency_mismatch"
        is_new = job_id not in fresh and (job is None or _may_start_anew(job))
        if is_new:
            fresh[job_id] = body
        answer.append((job.state if job and not is_new and job_id not in fresh else "waiting", is_new))
    if fresh and sum(len(world.waiting(name)) for name in CLASSES) + len(fresh) > world.limit:
        return "queue_full"
    for job_id, _ in asks:
        _reprieve(world.jobs.get(job_id))
    for job_id, body in fresh.items():
        _begin(world, job_id, body, job_class, is_attached=is_attached, tenant=tenant)
    return answer


def _may_start_anew(job: Job) -> bool:
    return job.state == "ended" and job.ending == "cancelled" and job.why == "unheard"


def _reprieve(job: Job | None) -> None:
    """It was about to end because nobody listened; now somebody does."""
    if job and job.cancel == "unheard":
        job.cancel = ""


def _begin(world: World, job_id: str, body: bytes, job_class: str, *, is_attached: bool, tenant: str) -> None:
    lived = world.jobs.get(job_id)
    world.forewarned.discard(job_id)
    entry = Entry(job_id, job_class, body)
    world.streams[job_class].append(entry)
    job = world.jobs[job_id] = Job(job_id, body, entry, job_class, is_attached, tenant)
    world.asked.add(tenant)
    job.attempt = job.born_at = lived.attempt if lived else 0
    job.is_timed = True


def add(world: World, entry: Entry) -> None:
    """Add an entry past the script."""
    world.streams[entry.stream].append(entry)


def cancel(world: World, job_id: str, reason: str, *, if_unheard: bool) -> str:
    """Cancel a job."""
    job = find(world, job_id)
    if job is None:
        return "unknown"
    if job.state == "ended":
        return "ended"
    if if_unheard and job_id in world.heard:
        return "heard"
    return cancel_job(world, job, reason)
