"""The simulated pool: jobs come, machines choose among them, and a talk's next turn follows its answer."""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from statistics import fmean, quantiles
from typing import NamedTuple

from shared.outline import Prefix
from shared.window import Waiting
from worker.placement import Look

from .machine import Job, Machine, Make
from .rules import RULES, Rule
from .talks import Talk, talks

# Four unlike ones.
MAKES = (
    Make(1_500, 0.008, 0.0016, slots=12, cache_tokens=160_000),
    Make(700, 0.014, 0.0020, slots=8, cache_tokens=80_000),
    Make(500, 0.016, 0.0024, slots=8, cache_tokens=60_000),
    Make(300, 0.018, 0.0035, slots=4, cache_tokens=30_000),
)
WINDOW = 64
WARM_UP_S = 120.0
# At a load of 1, in the units of `talks`: the most at which oldest first has no ever longer queue in a simulated hour.
FULL_RATE = 0.2
YOUNG_S = 10.0  # who came so shortly before the end may be waiting for no fault of the rule's


class Figures(NamedTuple):
    """What a run came to."""

    jobs: int
    mean_wait_s: float  # until the first token; of who has none yet, until the end
    p95_wait_s: float
    cached_share: float  # of the prompt tokens that were read or known
    begun_per_s: float


def simulate(rule: str, load: float, *, seed: int, seconds: float = 900.0, held_s: float = 0.0) -> Figures:
    """One run of one of the RULES; the same again, as often as it is asked."""
    return Pool(talks(FULL_RATE * load, seconds, seed), RULES[rule], ends_s=seconds, held_s=held_s, seed=seed).run()


class Pool:
    """One run: some talks, some machines, one rule."""

    def __init__(self, asked: Sequence[Talk], rule: Rule, *, ends_s: float, held_s: float = 0.0, seed: int = 0) -> None:
        self._rule = rule
        self._ends_s = ends_s
        self._held_s = held_s
        self._chance = random.Random(seed)
        self._machines = [Machine(f"mac{number}", make) for number, make in enumerate(MAKES)]
        self._jobs: list[Job] = []
        self._waiting: dict[str, Job] = {}  # oldest first
        self._homes: dict[str, str] = {}
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        for talk in asked:
            self._at(talk.begins_s, self._arrival(talk, 0))

    def run(self) -> Figures:
        """Let everything happen until the end."""
        while self._events and self._events[0][0] < self._ends_s:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
        return self._figures()

    # --- what happens ------------------------------------------------------------------------------------------

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    def _arrival(self, talk: Talk, number: int) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            job = Job(str(len(self._jobs)), talk, number, now)
            self._jobs.append(job)
            self._waiting[job.entry] = job
            for machine in self._chance.sample(self._machines, len(self._machines)):
                self._choose(machine, now)

        return arrive

    def _change(self, machine: Machine, number: int) -> Callable[[float], None]:
        def change(now: float) -> None:
            if machine.changes != number:
                return  # something came in between
            self._choose(machine, now)
            self._expect_change(machine)

        return change

    def _expect_change(self, machine: Machine) -> None:
        machine.changes += 1
        self._at(machine.next_change(), self._change(machine, machine.changes))

    def _advance(self, machine: Machine, now: float) -> None:
        for job in machine.advance(now):
            if job.number + 1 < len(job.talk.turns):
                pause_s = job.talk.turns[job.number + 1].pause_s
                self._at(now + pause_s, self._arrival(job.talk, job.number + 1))

    # --- who takes what ----------------------------------------------------------------------------------------

    def _choose(self, machine: Machine, now: float) -> None:
        self._advance(machine, now)
        has_taken = False
        while self._waiting:
            got = self._rule(self._window(), machine.me(self._held_s), now)
            if isinstance(got, Look):
                self._look_again(machine, got.again_at)
                break
            self._give(self._waiting.pop(got.entry), machine, now)
            has_taken = True
        if has_taken:
            self._expect_change(machine)

    def _look_again(self, machine: Machine, again_at: float) -> None:
        if again_at < min(machine.look_at, self._ends_s):
            machine.look_at = again_at
            self._at(again_at, lambda now: self._look(machine, now))

    def _look(self, machine: Machine, now: float) -> None:
        if machine.look_at == now:
            machine.look_at = math.inf
            self._choose(machine, now)

    def _window(self) -> list[Waiting]:
        return [self._seen(job) for job in itertools.islice(self._waiting.values(), WINDOW)]

    def _seen(self, job: Job) -> Waiting:
        told = job.turn.told
        home = next((prefix for prefix in job.turn.homes if prefix.hash in self._homes), Prefix("", 0))
        name = self._homes.get(home.hash, "")
        return Waiting(job.entry, "std", job.arrived, told[-1].tokens, told, name, home.tokens)

    def _give(self, job: Job, machine: Machine, now: float) -> None:
        self._homes.setdefault(job.turn.homes[-1].hash, machine.name)
        self._homes[job.turn.prompt[-1].hash] = machine.name
        machine.take(job, now)

    def _figures(self) -> Figures:
        judged = [job for job in self._jobs if WARM_UP_S <= job.arrived < self._ends_s - YOUNG_S]
        waits = [(job.first_token or self._ends_s) - job.arrived for job in judged]
        begun = [job for job in judged if job.first_token is not None]
        return Figures(
            jobs=len(judged),
            mean_wait_s=fmean(waits),
            p95_wait_s=quantiles(waits, n=20)[-1],
            cached_share=sum(job.cached_tokens for job in begun) / sum(job.tokens for job in begun),
            begun_per_s=len(begun) / (self._ends_s - YOUNG_S - WARM_UP_S),
        )
