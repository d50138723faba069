"""Where the rules play: Redis, the model, what workers believe, and the comparison of all that after each rule."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.claims import Claims, LeaseLost
from shared.event import AnyEvent

from .picture import differences
from .promises import broken
from .sight import Sight, look
from .site import LIMITS, Ear, Site, hold_time
from .world import CLASSES, Entry, Worker, World

T = TypeVar("T")
BODIES = (b'{"prompt":"one"}', b'{"prompt":"other"}')


@dataclass(eq=False)
class Run:
    """An attempt as its worker knows it; `sent` are its own events."""

    worker: Claims
    job_id: str
    attempt: int
    entry: str
    seq: int
    sent: list[AnyEvent] = field(default_factory=list[AnyEvent])
    is_lost: bool = False  # the claim's reply has not arrived
    is_over: bool = False  # the worker let go of it

    @property
    def is_held(self) -> bool:
        """Whether the worker believes that it runs the job."""
        return not (self.is_lost or self.is_over)


@dataclass(eq=False)
class Said:
    """Something a worker said, to be said again."""

    job_ids: set[str]
    worker_id: str
    again: Callable[[], Awaitable[object]]
    renews: bool = False


class Stage(RuleBasedStateMachine):
    """A queue in Redis, and the same queue as the protocol describes it."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.world = World(LIMITS["waiting"])
        self.workers: list[Claims] = []
        self.runs: list[Run] = []
        self.said: list[Said] = []
        self.ids: list[str] = []
        self.seen: list[Entry] = []  # what looks have shown
        self.granted: set[tuple[str, int]] = set()
        self.tokens = 0
        self.is_sound = False
        self.site.run(self._open())

    async def _open(self) -> None:
        self.here = await self.site.open()
        self.ear = Ear(self.here)
        await self.register("mac0")
        self.is_sound = True

    @invariant()
    def all_is_as_the_protocol_says(self) -> None:
        """Redis holds what the model holds, and keeps every promise."""
        self.site.run(self.check())

    async def check(self) -> None:
        """Compare, learn the entries' ids, and keep time from passing."""
        self.is_sound = False
        self.sight: Sight = await look(self.here)
        survey = await self.here.queue.survey()
        wrong = [*differences(self.world, self.sight), *broken(self.sight, survey)]
        assert not wrong, "\n".join(wrong)
        for name in CLASSES:
            for entry, place in zip(self.world.streams[name], self.sight.streams[name], strict=True):
                entry.id = place.id
        await hold_time(self.here, self.world, self.sight.now_ms)
        self.is_sound = True

    async def register(self, host: str) -> Claims:
        """Begin a worker."""
        worker = await self.here.worker(host)
        self.workers.append(worker)
        self.world.workers[worker.worker_id] = Worker(worker.worker_id, host)
        await worker.beat({"slots": 2, "busy": 0})
        return worker

    def worker(self, number: int) -> Claims:
        """A worker that lives, or one that did."""
        alive = {worker.id for worker in self.world.alive()}
        living = [worker for worker in self.workers if worker.worker_id in alive]
        return pick(living if number < 8 and living else self.workers[-4:], number)

    def held(self, worker: Claims | None = None) -> list[Run]:
        """What a worker believes to run; without one, what any does."""
        return [run for run in self.runs if run.is_held and worker in {None, run.worker}]

    def job_id(self, number: int) -> str:
        """One of the last ids that were used, or one that nobody knows."""
        return pick([*self.ids[-8:], "unknown"], number)


def pick(choices: Sequence[T], number: int) -> T:
    """One of them, whatever the number."""
    return choices[number % len(choices)]


async def answer(call: Awaitable[T]) -> T | str:
    """What a worker is told; that its lease is lost is an answer too."""
    try:
        return await call
    except LeaseLost:
        return "lease lost"


def agree(expected: object, got: object) -> None:
    """Hold two answers against each other."""
    assert got == expected, f"the protocol answers {expected}, Redis {got}"


S = TypeVar("S", bound=Stage)
Deed = Callable[..., Coroutine[Any, Any, None]]


def deed(when: Callable[[Any], bool] | None = None, **choices: Any) -> Callable[[Deed], Callable[..., None]]:
    """Make a coroutine a rule; with `when`, one that is offered only then."""

    def mark(body: Deed) -> Callable[..., None]:
        @wraps(body)
        def play(self: Stage, **drawn: Any) -> None:
            self.is_sound = False
            self.site.run(body(self, **drawn))
            self.is_sound = True

        made: Callable[..., None] = rule(**choices)(play)  # pyright: ignore[reportUnknownVariableType] hypothesis leaves its results open
        return precondition(when)(made) if when else made  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] likewise

    return mark
