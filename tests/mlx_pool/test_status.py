from msgspec import structs

from mlx_pool.status import as_lines
from shared.survey import Survey, WorkerView

WORKER = WorkerView(id="mac.1.ab", model="tiny", state="ready", slots=16, busy=3, lease_ends_in_ms=900, note="Metal")


def survey(*workers: WorkerView) -> Survey:
    return Survey(
        model="tiny",
        now_ms=0,
        waiting={"std": 2, "lo": 1},
        running=3,
        oldest_wait_ms=1_500,
        workers=list(workers),
        dead_letters=0,
    )


def test_queues_and_workers_are_told_in_columns() -> None:
    """A person sees at a glance what waits, what runs, and who works."""
    lines = as_lines([survey(WORKER)]).splitlines()

    assert lines[1].split() == ["tiny", "3", "3", "16", "13", "1.5", "s"]
    assert lines[4].split() == ["mac.1.ab", "tiny", "ready", "3/16", "0", "-", "Metal"]


def test_memory_that_is_short_is_told_with_its_limit() -> None:
    """Else only what is held is told: the limit is all that there is."""
    held = structs.replace(WORKER, memory_bytes=900 << 20, memory_limit_bytes=1_000 << 20)

    assert "900 MB  " in as_lines([survey(held)])
    assert "900 MB of 1000, soft" in as_lines([survey(structs.replace(held, pressure="soft"))])


def test_a_queue_without_workers_says_so() -> None:
    """An empty table would look like a pool that is fine."""
    assert "no worker is alive" in as_lines([survey()])
    assert as_lines([]) == "no worker has served a model here yet\n"
