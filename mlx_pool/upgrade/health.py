"""Whether what was started anew is well: decided on what was seen of it, look by look. No I/O."""

from typing import Literal

import msgspec

from mlx_pool.terminal import clean
from mlx_pool.up.restart import LONGEST_DELAY_MS
from shared.survey import WorkerView

_STARTS = 4  # of each process: then it is clear that it does not stay
_NOBODY_S = LONGEST_DELAY_MS / 1_000 + 15.0  # longer than any pause between two starts


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be seen before it counts as well, for how long, and how long it may take until then.

    `version` is None where no worker could tell one: a gateway has no place in the queues.
    """

    version: str | None
    workers: int
    queues: frozenset[str]
    settle_s: float
    limit_s: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look: its processes, and what each worker tells of itself, once for each queue that it is in."""

    keeper: Literal["running", "stopped", "failed"]
    pids: tuple[int, ...]
    views: tuple[tuple[str, WorkerView], ...] = ()  # with their queues
    answers: bool = True  # a gateway's door
    trouble: str = ""  # why the queue told nothing


class Verdict(msgspec.Struct, frozen=True):
    """`well` and `ill` are final; `words` say what is there, or what is still missing."""

    state: Literal["well", "waiting", "ill"]
    words: str


class Watch:
    """Remembers the looks at one turn; all times are its caller's, in s."""

    def __init__(self, wanted: Wanted, began_s: float) -> None:
        self._wanted = wanted
        self._began_s = began_s
        self._well_since: float | None = None
        self._pids: tuple[int, ...] = ()
        self._started: set[int] = set()
        self._ran_s = began_s  # when something of it was last seen

    def judge(self, seen: Seen, now_s: float) -> Verdict:
        """Take in a look."""
        self._started.update(seen.pids)
        self._ran_s = now_s if seen.pids else self._ran_s
        missing = missing_in(seen, self._wanted)
        if missing or seen.pids != self._pids:
            self._well_since = None
        self._pids = seen.pids
        if (wrong := self._wrong_with(seen, now_s)) is not None:
            return Verdict("ill", wrong)
        if missing:
            late = now_s - self._began_s > self._wanted.limit_s
            return (
                Verdict("ill", f"after {now_s - self._began_s:.0f} s {missing}")
                if late
                else Verdict("waiting", missing)
            )
        if self._well_since is None:
            self._well_since = now_s
        if now_s - self._well_since < self._wanted.settle_s:
            return Verdict("waiting", "it is there; whether it stays, is seen in a moment")
        return Verdict("well", well_words(seen))

    def _wrong_with(self, seen: Seen, now_s: float) -> str | None:
        """What does not mend by waiting."""
        if seen.keeper == "failed":
            return "it has ended, and is not started again"
        if len(self._started) >= _STARTS * max(1, self._wanted.workers):
            return f"it was started {len(self._started)} times, and ended each time"
        if now_s - self._ran_s > _NOBODY_S:
            return f"nothing of it has run for {now_s - self._ran_s:.0f} s"
        for _, view in seen.views:
            if view.state == "sick" or view.engine_deaths:
                return f"the engine of {clean(view.id)} died"
        return None


def missing_in(seen: Seen, wanted: Wanted) -> str:
    """Say what is not as it has to be; "" where all is."""
    if seen.keeper != "running":
        return "it does not run"
    if seen.trouble:
        return seen.trouble
    if not seen.answers:
        return "it does not answer"
    if len(seen.pids) < max(1, wanted.workers):
        return f"{len(seen.pids)} of {max(1, wanted.workers)} processes run"
    return _missing_workers(seen, wanted) if wanted.workers else ""


def _missing_workers(seen: Seen, wanted: Wanted) -> str:
    if (known := len({_pid_of(view) for _, view in seen.views})) < wanted.workers:
        return f"the pool sees {known} of {wanted.workers} worker(s) yet"
    for queue, view in seen.views:
        if not (view.is_ready or view.is_standing_by):
            how_far = f" {view.progress:.0%}" if view.state == "loading" and view.progress else ""
            return f"{clean(view.id)} in {clean(queue)} is {clean(view.state)}{how_far}"
        if wanted.version is not None and view.version != wanted.version:
            return f"{clean(view.id)} runs {clean(view.version)}, not {wanted.version}"
    if lacking := wanted.queues - {queue for queue, _ in seen.views}:
        return f"it does not serve {', '.join(sorted(map(clean, lacking)))} any more"
    return ""


def well_words(seen: Seen) -> str:
    """Say what is there."""
    names = sorted({clean(view.id) for _, view in seen.views})
    if not names:
        return "runs and answers"
    queues = ", ".join(sorted({clean(queue) for queue, _ in seen.views}))
    versions = ", ".join(sorted({clean(view.version) for _, view in seen.views}))
    return f"{', '.join(names)} serves {queues} with {versions}"


def _pid_of(view: WorkerView) -> str:
    return view.id.rpartition(".")[0].rpartition(".")[2]
