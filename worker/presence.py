"""What a worker tells of itself with each beat."""

import time
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version

import msgspec

from .engine import wire
from .fitness import EngineDeath, rests_until
from .waits import Waits

State = str  # of worker.lifecycle, or sick

_RATE_WINDOW_S = 30.0
_MEAN_OF_JOBS = 32
_REMEMBERED_DEATHS = 32


class Tally:
    """Counts of what an agent has done, and how fast."""

    def __init__(self) -> None:
        self.version = version("mlx-pool")  # of the code that runs: what is installed may be replaced meanwhile
        self.jobs_done = 0
        self.tokens_done = 0
        self.engine_deaths = 0
        self.looks = 0
        self.home_claims = 0  # of jobs whose prompt's beginning was read here
        self.forced_claims = 0  # of jobs that another worker would have been home to
        self.held_s = 0.0  # with a free seat, and jobs that were left to others
        self.waits = Waits()  # of the jobs that were taken here of late
        self._deaths: list[EngineDeath] = []
        self._ends: list[float] = []
        self._lasted_s: deque[float] = deque(maxlen=_MEAN_OF_JOBS)

    def job_ended(self, tokens: int, lasted_s: float, *, now_s: float | None = None) -> None:
        """Count a job that ended here, so long after its claim."""
        now = time.monotonic() if now_s is None else now_s
        self._lasted_s.append(lasted_s)
        self.jobs_done += 1
        self.tokens_done += tokens
        self._ends = [end for end in self._ends if now - end < _RATE_WINDOW_S] + [now]

    def engine_ready(self) -> None:
        """Note that jobs are taken from now on."""
        self.waits.begin(time.monotonic())

    def claimed(self, *, home: str, me: str) -> None:
        """Count a job that was taken here; `home` is the worker that it was best for, "" if none."""
        self.home_claims += home == me
        self.forced_claims += home not in {"", me}

    def engine_died(self, jobs: Sequence[str]) -> None:
        """Count an engine's death under these jobs."""
        self.engine_deaths += 1
        self._deaths = [*self._deaths, EngineDeath(_now_ms(), frozenset(jobs))][-_REMEMBERED_DEATHS:]

    @property
    def rests_for_s(self) -> float:
        """For how long this machine is out of service; 0 when it is fit."""
        now_ms = _now_ms()
        return ((rests_until(self._deaths, now_ms) or now_ms) - now_ms) / 1_000

    def jobs_per_second(self, *, now_s: float | None = None) -> float:
        """The rate of the last half minute."""
        now = time.monotonic() if now_s is None else now_s
        recent = [end for end in self._ends if now - end < _RATE_WINDOW_S]
        return len(recent) / max(1.0, now - recent[0]) if recent else 0.0

    @property
    def job_seconds(self) -> float:
        """How long the last jobs had a seat, on the mean; 0 before the first."""
        return sum(self._lasted_s) / len(self._lasted_s) if self._lasted_s else 0.0


class Told(msgspec.Struct, frozen=True):
    """The inputs of a beat."""

    model: str
    host: str
    state: State
    busy: int
    listens: bool  # to its control channel, so that its silence there says something
    ready: wire.Ready | None
    stats: wire.Stats | None
    hints: str = ""  # what the machine says of heat and power
    load_s: float = 0.0
    progress: float = 0.0
    is_making_room: bool = False
    loads: int = 0
    unloads: int = 0
    is_pinned: bool = True


def fields(told: Told, tally: Tally) -> dict[str, str | int | float]:
    """A worker's hash in Redis; the words are those of `shared.survey.WorkerView`."""
    ready, stats = told.ready, told.stats
    return {
        "model": told.model,
        "host": told.host,
        "state": told.state,
        "busy": told.busy,
        "listens": int(told.listens),
        "slots": ready.slots if ready else 0,
        "device": ready.device if ready else "",
        "note": "; ".join(part for part in (ready.note if ready else "", told.hints) if part),
        "engine": ready.model if ready else "",
        "version": tally.version,
        "tokens_per_second": round(stats.tokens_per_second, 1) if stats else 0.0,
        "reads_per_second": round(stats.prefill_tokens_per_second) if stats else 0,
        "memory_bytes": stats.memory_bytes if stats else 0,
        "memory_limit_bytes": stats.memory_limit_bytes if stats else 0,
        "pressure": stats.pressure if stats else "",
        "kv_bytes": stats.kv_bytes if stats else 0,
        "cache_bytes": stats.cache_bytes if stats else 0,
        "cache_hits": stats.cache_hits if stats else 0,
        "cache_saved_tokens": stats.cache_saved_tokens if stats else 0,
        "prompt_tokens": stats.prompt_tokens if stats else 0,
        "handed_back": stats.handed_back if stats else 0,
        "jobs_per_second": round(tally.jobs_per_second(), 3),
        "job_seconds": round(tally.job_seconds, 3),
        "jobs_done": tally.jobs_done,
        "tokens_done": tally.tokens_done,
        "engine_deaths": tally.engine_deaths,
        "looks": tally.looks,
        "home_claims": tally.home_claims,
        "forced_claims": tally.forced_claims,
        "held_s": round(tally.held_s, 3),
        "load_s": round(told.load_s, 2),
        "progress": round(told.progress, 3),
        "coming": int(told.is_making_room),
        "loads": told.loads,
        "unloads": told.unloads,
        "pinned": int(told.is_pinned),
        "waits": tally.waits.told(time.monotonic()),
    }


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
