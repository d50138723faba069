"""What the reapers do to the world: bury who is dead, end what is late or unwanted, hear cancels."""

from typing import NamedTuple

from .world import CLASSES, Job, Worker, World, cancel_job, conclude, conclude_cancelled, find, return_entry


class Reaped(NamedTuple):
    """What a tick did."""

    given_back: int
    ended: int
    workers: int


def bury(world: World, worker_id: str) -> Reaped:
    """Give a worker's jobs back, and forget it."""
    entries = [entry for name in CLASSES for entry in world.streams[name] if entry.reader == worker_id]
    given_back = sum(return_entry(world, entry) for entry in entries)
    world.workers.pop(worker_id, None)
    world.consumers = {(name, reader) for name, reader in world.consumers if reader != worker_id}
    return Reaped(given_back, 0, 1)


def tick(world: World, *, sweeps: bool) -> Reaped:
    """Do what is due; with `sweeps` also look for consumers without a lease, as every five seconds."""
    dead = sorted(worker.id for worker in world.workers.values() if worker.lease == "ended")
    buried = [bury(world, worker_id) for worker_id in dead]
    ended = sum(_end_late(world, job) for job in list(world.jobs.values()))
    ended += sum(_end_orphan(world, job) for job in world.jobs.values())
    ended += sum(_hear_cancel(world, job_id) for job_id in world.cancels)
    world.cancels.clear()
    if sweeps:
        buried += _sweep(world)
    return Reaped(sum(each.given_back for each in buried), ended, len(buried))


def _end_late(world: World, job: Job) -> bool:
    """A running job is its owner's to end, unless that had its time."""
    is_due = job.lateness == "overdue" or (job.lateness == "late" and job.state == "waiting")
    if is_due:
        conclude(world, job, "error", "deadline_exceeded")
    return is_due


def _end_orphan(world: World, job: Job) -> bool:
    if not job.is_attached or job.state != "waiting":
        return False
    if job.id in world.heard:
        job.unheard = ""
    elif not job.unheard:
        job.unheard = "lately"
    elif job.unheard == "long":
        conclude_cancelled(world, job, "unheard")
        return True
    return False


def _hear_cancel(world: World, job_id: str) -> bool:
    job = find(world, job_id)
    if job is None:
        world.forewarned.add(job_id)  # its entry may lie there, unseen
        return False
    return job.state != "ended" and cancel_job(world, job, "cancelled") == "cancelled"


def _sweep(world: World) -> list[Reaped]:
    buried: list[Reaped] = []
    for name in CLASSES:
        for reader in sorted(reader for stream, reader in world.consumers if stream == name):
            known: Worker | None = world.workers.get(reader)
            if known is None or known.lease == "gone":
                buried.append(bury(world, reader))
    return buried
