"""A machine of tests: what runs there, and what its pool tells."""

from pathlib import Path

from mlx_pool.upgrade.health import Seen, Wanted
from mlx_pool.upgrade.installation import Installation
from mlx_pool.upgrade.processes import Process
from mlx_pool.upgrade.turns import Kept
from shared.survey import Survey, WorkerView

PREFIX = Path("/opt/tools/mlx-pool")
PYTHON = f"{PREFIX}/bin/python"
INSTALLED = Installation(prefix=PREFIX, kind="uv tool", version="1.0", extras=("worker",), uv="/usr/bin/uv")
SERVICE = Kept(kind="service", name="worker", part="worker", pid=10, url="redis://vm", names=("mac-1",))
UP = Kept(kind="up", name="up", part="up", pid=20, data="/data", url="redis://vm", names=("mac-1",))


def process(pid: int, parent: int, *words: str) -> Process:
    """One of this environment's."""
    return Process(pid, parent, (PYTHON, "-P", "-m", *words))


LISTED = [
    Process(1, 0, ("/sbin/init",)),
    process(10, 1, "worker", "--model", "qwen3-4b", "--drain-s", "60"),
    process(11, 10, "worker.engine", "--model", "/models/qwen3-4b"),
    process(20, 1, "mlx_pool", "up", "--workers", "2"),
    process(21, 20, "gateway", "--port", "8081"),
    process(22, 20, "worker", "--model", "smollm2-135m"),
    process(23, 20, "worker", "--model", "smollm2-135m"),
    process(30, 1, "worker", "--model", "llama-3.2-3b"),
]


def view(worker_id: str, **told: object) -> WorkerView:
    """A worker that is ready, with version 2.0, but for what is told otherwise."""
    known = {"state": "ready", "version": "2.0", "lease_ends_in_ms": 1_500, "slots": 4}
    return WorkerView(id=worker_id, **(known | told))  # pyright: ignore[reportArgumentType] the tests' own words


def survey(model: str, *workers: WorkerView, waiting: int = 0) -> Survey:
    """A queue with these workers."""
    return Survey(
        model=model,
        now_ms=0,
        waiting={"std": waiting},
        running=0,
        oldest_wait_ms=0,
        workers=list(workers),
        dead_letters=0,
    )


def seen(*views: WorkerView, queue: str = "qwen3-4b", pids: tuple[int, ...] = (41,), **told: object) -> Seen:
    """A look at a worker that runs."""
    known = {"keeper": "running", "pids": pids, "views": tuple((queue, each) for each in views)}
    return Seen(**(known | told))  # pyright: ignore[reportArgumentType] the tests' own words


WANTED = Wanted(version="2.0", workers=1, queues=frozenset(("qwen3-4b",)), settle_s=10, limit_s=300)
