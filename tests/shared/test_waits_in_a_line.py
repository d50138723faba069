"""Whether what is expected comes true, in a line that grows and drains and in which the cheap pass the dear."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Iterator
from statistics import mean
from typing import NamedTuple

from shared.waits import Waited, expected_wait_ms, key_of, merged, waited_like

SEATS, HALF_PERIOD_S, LOADS = 8, 150.0, (0.6, 1.3)  # of what the seats can do, by turns
DECODE_S, TOKENS_PER_S = 3.0, 1_000.0
SIZES = ((250.0, 0.7), (2_000.0, 0.2), (12_000.0, 0.1))


class Job(NamedTuple):
    """A job of the simulation, and what was expected when it came: by the pool's pace, and as measured."""

    at_s: float
    tokens: int
    prefill_s: float
    takes_s: float
    place: int = 0
    pace_ms: int | None = None
    told_ms: int | None = None


class Line:
    """Seats, and who waits for one; takes what has waited longest for what it costs."""

    def __init__(self) -> None:
        self.free = SEATS
        self.ends: list[float] = []
        self.waiting: list[Job] = []
        self._lasted_s = deque([DECODE_S], maxlen=32)
        self._taken: deque[tuple[float, str, Waited]] = deque()

    def add(self, job: Job) -> None:
        """Let a job stand in line, with what is expected of it."""
        while self._taken and job.at_s - self._taken[0][0] >= 60:
            self._taken.popleft()
        place, rate = len(self.waiting) + 1, SEATS / mean(self._lasted_s)
        like = waited_like(merged({key: waited} for _, key, waited in self._taken), "std", job.tokens)
        pace_ms, told_ms = (expected_wait_ms(place - self.free, rate, waited) for waited in (None, like))
        self.waiting.append(job._replace(place=place, pace_ms=pace_ms, told_ms=told_ms))

    def take(self, now_s: float) -> Iterator[tuple[Job, float]]:
        """Give seats to those whose turn it is; each with how long it has waited, in ms."""
        while self.free and self.waiting:
            job = max(self.waiting, key=lambda job: (now_s - job.at_s + 10) / (job.prefill_s + 0.05))
            self.waiting.remove(job)
            self.free -= 1
            heapq.heappush(self.ends, now_s + job.takes_s)
            self._lasted_s.append(job.takes_s)
            if (wait_ms := (now_s - job.at_s) * 1_000) >= 100:
                self._taken.append((now_s, key_of("std", job.tokens), Waited(1, int(wait_ms), job.place)))
                yield job, wait_ms


def coming(chance: random.Random) -> Iterator[Job]:
    """Jobs as they come: half of the prompts have been read before, for the most part."""
    at_s = 0.0
    per_s = SEATS / (DECODE_S + 0.55 * sum(size * share for size, share in SIZES) / TOKENS_PER_S)
    while True:
        at_s += chance.expovariate(LOADS[int(at_s // HALF_PERIOD_S) % 2] * per_s)
        [size] = chance.choices([size for size, _ in SIZES], [share for _, share in SIZES])
        tokens = int(size * chance.lognormvariate(0, 0.5))
        prefill_s = tokens / TOKENS_PER_S * chance.choice((0.1, 1.0))
        yield Job(at_s, tokens, prefill_s, prefill_s + chance.expovariate(1 / DECODE_S))


def simulate(jobs: Iterator[Job], until_s: float) -> Iterator[tuple[Job, float]]:
    """All that had to wait."""
    line = Line()
    for job in itertools.takewhile(lambda job: job.at_s < until_s, jobs):
        while line.ends and line.ends[0] <= job.at_s:
            now_s = heapq.heappop(line.ends)
            line.free += 1
            yield from line.take(now_s)
        line.add(job)
        yield from line.take(job.at_s)


def test_what_is_measured_is_nearer_to_the_truth_than_the_pace() -> None:
    """For small prompts by far, since they pass others; for all together, too."""
    had = list(simulate(coming(random.Random(1)), 3_600))

    def error(jobs: list[tuple[Job, float]], name: str) -> float:
        return mean(abs(getattr(job, name) - wait_ms) for job, wait_ms in jobs)

    small = [(job, wait_ms) for job, wait_ms in had if job.tokens <= 512]
    assert len(small) > 1_000
    assert error(small, "told_ms") <= 0.4 * error(small, "pace_ms")
    assert error(had, "told_ms") <= 0.9 * error(had, "pace_ms")
