"""A simulated machine: it reads prompts one after the other while it decodes what it has read, all rows at once."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from worker.placement import Me

from .cache import PromptCache
from .talks import Talk, Turn

CHUNK_TOKENS = 512  # of a prompt are read between two steps
_MEASURED_FROM_TOKENS = 256
_NEWEST_COUNTS = 0.3
_NOTHING = 1e-6


class Make(NamedTuple):
    """What a machine is like."""

    prefill_tokens_per_s: float
    step_s: float
    row_s: float  # what each row adds to a step
    slots: int
    cache_tokens: int


@dataclass
class Job:
    """A talk's turn that somebody waits for. Times in simulated seconds; None: not yet."""

    entry: str
    talk: Talk
    number: int
    arrived: float
    first_token: float | None = None
    cached_tokens: int = 0

    @property
    def turn(self) -> Turn:
        """What is asked."""
        return self.talk.turns[self.number]

    @property
    def tokens(self) -> int:
        """The prompt's."""
        return self.turn.prompt[-1].tokens


@dataclass
class _Work:
    """Tokens that are still to be read, or to be said."""

    job: Job
    left: float


@dataclass
class Machine:
    """Moves on by `advance`; between two changes everything goes on evenly."""

    name: str
    make: Make
    turn: int = 0
    look_at: float = math.inf  # when it will look again, if nothing happens before
    changes: int = 0  # how often it was reckoned anew when its next change comes
    _at: float = 0.0
    _unread: deque[_Work] = field(default_factory=deque[_Work])
    _rows: list[_Work] = field(default_factory=list[_Work])
    _measured: float = 0.0
    _reading_since: float = 0.0

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self.cache = PromptCache(self.make.cache_tokens)

    def me(self, held_s: float) -> Me:
        """Tell what is chosen by; it prefills where it has more than `held_s` to read."""
        unread_s = sum(work.left for work in self._unread) / self.make.prefill_tokens_per_s
        free = self.make.slots - len(self._rows) - len(self._unread)
        return Me(self.name, free, unread_s > held_s, self._measured, self.cache.boundaries, self.turn)

    def take(self, job: Job, now: float) -> None:
        """Begin with a job, or put it behind those that are to be read."""
        if not self._unread:
            self._begin(job, now)
        self._unread.append(_Work(job, max(1, job.tokens - job.cached_tokens)))
        self.turn += 1

    def next_change(self) -> float:
        """Tell when a prompt has been read or an answer said, if nothing else comes."""
        read_per_s, said_per_s = self._paces()
        after = [work.left / said_per_s for work in self._rows]
        if self._unread:
            after.append(self._unread[0].left / read_per_s)
        return self._at + max(0.0, min(after, default=math.inf))

    def advance(self, now: float) -> list[Job]:
        """Go on until `now`; returns the jobs that have ended."""
        read_per_s, said_per_s = self._paces()
        for row in self._rows:
            row.left -= (now - self._at) * said_per_s
        if self._unread:
            self._unread[0].left -= (now - self._at) * read_per_s
        self._at = now
        ended = [row.job for row in self._rows if row.left <= _NOTHING]
        self._rows = [row for row in self._rows if row.left > _NOTHING]
        for job in ended:
            self.cache.keep((*job.turn.prompt, job.turn.answer))
        if self._unread and self._unread[0].left <= _NOTHING:
            self._end_reading(now)
        return ended

    def _paces(self) -> tuple[float, float]:
        """Tokens read, and tokens said by each row, in a second."""
        step_s = self.make.step_s + self.make.row_s * len(self._rows)
        if not self._unread:
            return 0.0, 1 / step_s
        if not self._rows:
            return self.make.prefill_tokens_per_s, 0.0
        round_s = step_s + CHUNK_TOKENS / self.make.prefill_tokens_per_s
        return CHUNK_TOKENS / round_s, 1 / round_s

    def _begin(self, job: Job, now: float) -> None:
        job.cached_tokens = self.cache.known(job.turn.prompt)
        self._reading_since = now

    def _end_reading(self, now: float) -> None:
        job = self._unread.popleft().job
        job.first_token = now
        self.cache.keep(job.turn.prompt)
        self._rows.append(_Work(job, job.turn.answer_tokens))
        self._measure(job.tokens - job.cached_tokens, now - self._reading_since)
        if self._unread:
            ahead = self._unread[0]
            self._begin(ahead.job, now)
            ahead.left = max(1, ahead.job.tokens - ahead.job.cached_tokens)

    def _measure(self, tokens: int, seconds: float) -> None:
        if tokens >= _MEASURED_FROM_TOKENS:
            self._measured += (_NEWEST_COUNTS if self._measured else 1.0) * (tokens / seconds - self._measured)
