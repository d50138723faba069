"""A model's stand on the machine's shelf: whether it is loaded, wanted, busy, and how long loading it takes.

The service tells it what becomes of the engine; the shelf tells it what is to become of the model.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal, Protocol

import structlog

from .arrangement import Resident, Want
from .demand import Need

# due: there is room, its engine may start; here: it fills memory, loaded or loading; leaving: its engine is to end.
State = Literal["away", "due", "here", "leaving"]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Keeper(Protocol):
    """Who shares the memory out."""

    def touch(self) -> None:
        """Decide anew: something changed."""
        ...

    def room_in_s(self, want: Want) -> float:
        """How long it takes until there is room for it, about."""
        ...


class Stand:
    """One model's stand. A pinned one is there from the start, and stays."""

    def __init__(self, queue: str, *, size: int = 0, load_s: float = 0.0, fetch_s: float = 0.0, pinned: bool) -> None:
        """`size` is what its engine may fill, in bytes; `fetch_s` how long bringing it here takes, 0 if it is here."""
        self.queue = queue
        self.size = size
        self.is_pinned = pinned
        self.is_present = fetch_s == 0
        self.state: State = "here" if pinned else "away"
        self.is_yielding = False  # it takes no more jobs, so that another model may come
        self.is_making_room = False  # others are about to leave for it
        self.progress = 0.0  # of the loading under way
        self.loads = 0
        self.unloads = 0
        self.on_change: Callable[[], None] | None = None  # called when it begins or ceases to yield, or to make room
        self._shelf: Keeper | None = None
        self._load_s = load_s
        self._fetch_s = fetch_s
        self._want: Want | None = None
        self._is_busy = False
        self._began_s = time.monotonic()
        self._ready_s: float | None = None
        self._last_used_s = self._began_s
        self._rests_until_s = 0.0
        self._changed = asyncio.Event()

    # --- what the service tells and asks ---------------------------------------------------------------------------

    @property
    def is_wanted(self) -> bool:
        """Whether a job waits for it."""
        return self._want is not None

    @property
    def load_s(self) -> float:
        """How long until it could serve: loading it, bringing it here, making room, and a rest after it failed.

        In hundredths, as it is told: equals must look equal from both sides.
        """
        if self.state != "away" and not self.is_yielding:
            return round(self._load_s, 2)
        now_s = time.monotonic()
        room_s = self._shelf.room_in_s(self._wish(now_s)) if self._shelf else 0.0
        return round(self._load_s + self._fetch_s + room_s + max(0.0, self._rests_until_s - now_s), 2)

    @property
    def load_share(self) -> float:
        """Which share of loading and bringing it here is the loading."""
        return self._load_s / (self._load_s + self._fetch_s) if self._fetch_s else 1.0

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition on this stand holds."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    def want(self, need: Need) -> None:
        """Note whether it is to be loaded; who waits keeps its rank for as long as it does."""
        if need == "none" or self.state != "away" or time.monotonic() < self._rests_until_s:
            want = None
        else:
            since_s = self._want.since_s if self._want else time.monotonic()
            want = self._wish(since_s)._replace(is_relief=need == "relief")
        if want != self._want:
            if self._want is None and want:
                _log.info("model_wanted", model=self.queue, need=need, load_s=round(self.load_s, 1))
            self._want = want
            self._touch()

    def present(self) -> None:
        """Note that its folder is on this machine now."""
        self.is_present, self._fetch_s, self._want = True, 0.0, None
        self._touch()

    def loading(self) -> None:
        """Note that its engine starts."""
        self.state, self._want, self.progress, self._ready_s = "here", None, 0.0, None
        self._began_s = time.monotonic()
        self._touch()

    def ready(self) -> None:
        """Note that its engine serves; a first time, or again after it died."""
        now_s = time.monotonic()
        if self._ready_s is None:
            self._load_s = max(0.001, now_s - self._began_s)
        self.loads += 1
        self.progress = 0.0
        self._ready_s = self._last_used_s = now_s
        self._touch()

    def died(self) -> None:
        """Note that its engine ended, and is started again."""
        self._began_s, self._ready_s, self.progress = time.monotonic(), None, 0.0
        self._touch()

    def rest(self, for_s: float) -> None:
        """Want it no more for so long: others may be better at it."""
        self._rests_until_s = max(self._rests_until_s, time.monotonic() + for_s)
        self._want = None
        self._touch()

    def give_up(self, rest_s: float) -> None:
        """Let it go, and want it no more for so long."""
        if not self.is_pinned and self.state != "away":
            self.obey("leaving", is_yielding=True)
        self.rest(rest_s)

    def left(self) -> None:
        """Note that its engine has ended, and its memory is free; nobody wants it any more."""
        self.unloads += self._ready_s is not None
        self.state, self._want, self._ready_s, self.progress = "away", None, None, 0.0
        self._tell(is_yielding=False, is_making_room=False)
        self._touch()

    def note(self, *, is_busy: bool) -> None:
        """Note whether jobs run on it."""
        if is_busy or self._is_busy:
            self._last_used_s = time.monotonic()
        if is_busy != self._is_busy:
            self._is_busy = is_busy
            self._touch()

    # --- what the shelf does with it -------------------------------------------------------------------------------

    def be_kept_by(self, shelf: Keeper) -> None:
        """Share the shelf's memory from now on."""
        self._shelf = shelf

    def resident(self) -> Resident | None:
        """The memory that it fills; None while it is away."""
        if self.state == "away":
            return None
        return Resident(
            self.queue,
            self.size,
            last_used_s=self._last_used_s,
            ready_s=self._ready_s,
            load_s=self._load_s,
            is_busy=self._is_busy,
            is_pinned=self.is_pinned,
            is_yielding=self.is_yielding,
            is_leaving=self.state == "leaving",
        )

    def wanted(self) -> Want | None:
        """That it is to be loaded, and could be."""
        return self._want if self.state == "away" and self.is_present else None

    def obey(self, state: State, *, is_yielding: bool, is_making_room: bool = False) -> None:
        """Take in what was decided."""
        if state != self.state:
            self.state = state
            self._changed.set()
        self._tell(is_yielding=is_yielding, is_making_room=is_making_room)

    def _tell(self, *, is_yielding: bool, is_making_room: bool) -> None:
        if (is_yielding, is_making_room) != (self.is_yielding, self.is_making_room):
            self.is_yielding, self.is_making_room = is_yielding, is_making_room
            if self.on_change:
                self.on_change()

    def _wish(self, since_s: float) -> Want:
        return Want(self.queue, self.size, since_s, self._load_s)

    def _touch(self) -> None:
        self._changed.set()
        if self._shelf:
            self._shelf.touch()
