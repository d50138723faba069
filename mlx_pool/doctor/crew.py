"""The pool's queues and workers: who serves what, how well, and what waits though it need not. No I/O."""

from collections.abc import Iterator, Sequence
from typing import Final

from mlx_pool.terminal import clean
from shared.survey import Survey, WorkerView

from .finding import Finding, bad, ok, warn

# A job may be left to its home for 15 s while others have free seats; longer is no placement.
_HELD_MS: Final = 20_000
_STUCK_MS: Final = 60_000
_NOW: Final = ("re", "hi", "std")  # classes for which no seat is held back
_SLOWED: Final = ("slowed to", "hot", "low power mode", "on battery")


def judge_crew(surveys: Sequence[Survey], version: str) -> Iterator[Finding]:
    """Judge every queue and worker; `version` is this command's own."""
    if not surveys:
        yield warn("queues", "No worker has served a model here yet.", "`mlx-pool worker --model NAME` on any machine.")
        return
    for survey in surveys:
        yield _served(survey)
        yield from _flow(survey)
        for worker in survey.live_workers:
            yield from _worker(worker)
    yield from _versions([worker for survey in surveys for worker in survey.live_workers], version)


def _served(survey: Survey) -> Finding:
    model, live = clean(survey.model), survey.live_workers
    if not live:
        advice = f"`mlx-pool worker --model {model}` on any machine."
        if survey.waiting_total:
            return bad("queues", f"{survey.waiting_total} job(s) wait for {model}, and nobody serves it.", advice)
        told = f"Nobody serves {model}: who asks for it is told so."
        return warn("queues", told, f"{advice} If it is not to be served again: SREM pool:models {model} on Redis.")
    if ready := survey.ready_workers:
        seats = sum(worker.slots for worker in ready)
        return ok("queues", f"{len(ready)} worker(s) serve {model}, {survey.free_slots} of {seats} seats free.")
    states = ", ".join(sorted({clean(worker.state) for worker in live}))
    if any(worker.state in {"loading", "standby"} for worker in live):
        return ok("queues", f"No worker of {model} is ready yet: {states}.")
    return bad(
        "queues", f"No worker of {model} takes jobs: {states}.", "`mlx-pool status`, and the logs of its worker."
    )


def _flow(survey: Survey) -> Iterator[Finding]:
    """Whether what waits has a reason to."""
    model = clean(survey.model)
    urgent = sum(survey.waiting.get(name, 0) for name in _NOW)
    if urgent and survey.free_slots and survey.oldest_wait_ms > _HELD_MS:
        told = (
            f"{urgent} job(s) of {model} wait, the oldest for {survey.oldest_wait_ms / 1_000:.0f} s, "
            f"though {survey.free_slots} seat(s) are free."
        )
        advice = (
            f"`mlx-pool queue {model}` shows whose they are; a tenant has at most half of the seats while others ask."
        )
        yield (bad if survey.oldest_wait_ms > _STUCK_MS else warn)("waiting", told, advice)
    if alone := survey.waiting.get("sus", 0):
        told = f"{alone} job(s) of {model} wait to run alone: an engine died, or nothing came, when they ran."
        yield warn("waiting", told, "They run when a worker is empty; what ends another engine becomes a dead letter.")
    if survey.dead_letters:
        told = f"{survey.dead_letters} job(s) of {model} were given up."
        yield warn("dead letters", told, f"`mlx-pool dead list --model {model}` shows them; retry or drop each.")


def _worker(worker: WorkerView) -> Iterator[Finding]:
    name = clean(worker.id)
    if worker.state == "sick":
        told = f"{name} rests: its engine died {worker.engine_deaths} times, under one job after another."
        yield bad("workers", told, "Look at that machine: its worker's log, memory, heat, disk.")
    elif worker.engine_deaths:
        told = f"The engine of {name} died {worker.engine_deaths} time(s) since the worker began."
        yield warn("workers", told, "Its worker's log tells why (`mlx-pool logs worker` on that machine).")
    if worker.state == "gone":
        yield warn(
            "workers", f"Of {name} only the lease is left.", "It ends by itself within two seconds; else look there."
        )
    if worker.pressure:
        did = "takes no second job" if worker.pressure == "soft" else "hands jobs back"
        told = f"{name} is short of memory ({clean(worker.pressure)}): it {did}."
        yield warn("workers", told, "Fewer --slots, a smaller model, or one more machine.")
    yield from _compute(worker)


def _compute(worker: WorkerView) -> Iterator[Finding]:
    """The path that its engine computes on, as its note tells."""
    name, note = clean(worker.id), worker.note
    if "reference BLAS" in note:
        advice = "pip install 'mlx-pool[fast-cpu]', or apt install libopenblas0-pthread, on that machine."
        yield warn("compute", f"{name} computes on the CPU with a slow BLAS.", advice)
    elif "would be much faster" in note:
        told = f"{name} computes with weights as on disk: as float32 they do not fit its memory."
        yield warn("compute", told, "Free memory there, or take a smaller model.")
    elif worker.state == "ready":
        path = clean(note.partition(";")[0]) or clean(worker.device) or "no model"
        yield ok("compute", f"{name}: {path}.")
    if hints := [part for part in note.partition(";")[2].split(",") if any(sign in part for sign in _SLOWED)]:
        yield warn(
            "compute", f"{name} is slowed: {clean(', '.join(part.strip() for part in hints))}.", "Cool it, plug it in."
        )


def _versions(workers: Sequence[WorkerView], version: str) -> Iterator[Finding]:
    others = sorted({clean(worker.version) for worker in workers if worker.version and worker.version != version})
    if others:
        told = f"Workers run {', '.join(others)}, this command {version}."
        yield warn(
            "versions", told, "They work together; `mlx-pool upgrade --pool` upgrades one machine after the other."
        )
    elif workers:
        yield ok("versions", f"All workers run {version}, as this command.")
