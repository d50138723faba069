"""A job's course: its record and its log put together as they come, each moment given once. No clock, no I/O.

The log has what was said, but no times; the record has the times of claims, hand-overs and the end. When a token came
only who saw it coming can tell.
"""

from collections.abc import Iterator
from typing import Any

from shared.event import Cancelled, Done, Error, Started, Token, decode_event
from shared.life import Life, Step, prompt_of
from shared.queue import LogEntry

from .moment import Attempt, Moment, What, Whole, between, whole
from .pace import Pace

_ENDINGS: dict[type, What] = {Done: "done", Error: "error", Cancelled: "cancelled"}


class Course:
    """Follows one job. `end` is the event that ended it, once that was heard."""

    def __init__(self, life: Life) -> None:
        self.end: Done | Error | Cancelled | None = None
        self._steps: dict[tuple[What, int], Step] = {}
        self._attempts: list[Attempt] = []
        self._pace = Pace()
        self._queued_ms = life.steps[0].at_ms
        self._ended_ms: int | None = None
        self._before: int | None = None
        self.learn(life)

    def begin(self) -> Moment:
        """Tell when it came."""
        return self._moment("queued", self._queued_ms)

    def learn(self, life: Life) -> None:
        """Take in what its record has of times."""
        self._steps |= {(step.what, step.attempt): step for step in life.steps}

    def hear(self, entry: LogEntry, at_ms: int | None) -> Iterator[Moment]:
        """Tell of a logged event; `at_ms` is when it was seen coming, None where it was there before."""
        event = decode_event(entry.data)
        if isinstance(event, (Done, Error, Cancelled)):
            yield from self._catch_up(max(number for _, number in self._steps))
            self.end = event
            yield self._ending(event, at_ms)
            return
        yield from self._catch_up(entry.attempt, is_open=True)
        if isinstance(event, Started):
            self._pace.begin(at_ms)
            yield self._moment("started", at_ms, note=prompt_of(event))
        elif isinstance(event, Token) and event.tokens and self._attempts:
            yield from self._token(self._attempts[-1], len(event.tokens), at_ms)

    def flush(self, life: Life) -> Iterator[Moment]:
        """Tell what a record says beyond the log. It has to be older than the log, all of which was heard."""
        self.learn(life)
        yield from self._catch_up(life.attempts)

    def wait(self, before: int, now_ms: int) -> Iterator[Moment]:
        """Tell how many jobs are served first, where that has changed."""
        if before != self._before:
            self._before = before
            yield self._moment("waiting", now_ms, before=before)

    def idle(self, now_ms: int) -> Iterator[Moment]:
        """Tell, once, that a stream has fallen silent."""
        if self._attempts and self._attempts[-1].ended_ms is None and (gap := self._pace.new_silence(now_ms)):
            yield self._moment("silence", now_ms, gap_ms=gap)

    def whole(self) -> Whole:
        """Tell where its time went."""
        return whole(self._queued_ms, self._attempts, self._ended_ms, self._pace.longest_gap_ms)

    # --- attempts -------------------------------------------------------------------------------------------------

    def _catch_up(self, number: int, *, is_open: bool = False) -> Iterator[Moment]:
        """Tell of the attempts up to this one, and how they ended; an open one has not."""
        for each in range(1, number + 1):
            if each > len(self._attempts):
                yield self._claimed(each)
            attempt, back = self._attempts[each - 1], self._steps.get(("given_back", each))
            if back and attempt.ended_ms is None and not (is_open and each == number):
                yield self._given_back(attempt, back.at_ms)

    def _claimed(self, number: int) -> Moment:
        step = self._steps.get(("claimed", number), Step(what="claimed"))
        free_since_ms = self._attempts[-1].ended_ms if self._attempts else self._queued_ms
        self._attempts.append(Attempt(number, step.worker, step.at_ms))
        self._before = None
        return self._moment("claimed", step.at_ms, took_ms=between(free_since_ms, step.at_ms))

    def _given_back(self, attempt: Attempt, at_ms: int | None) -> Moment:
        attempt.ended_ms = at_ms
        took = between(attempt.first_ms, at_ms)
        return self._moment("given_back", at_ms, took_ms=took, gap_ms=self._pace.silence(at_ms))

    def _token(self, attempt: Attempt, count: int, at_ms: int | None) -> Iterator[Moment]:
        gap = self._pace.come(count, at_ms)
        is_first, attempt.tokens = attempt.tokens == 0, attempt.tokens + count
        if is_first:
            step = self._steps.get(("first_token", attempt.number))
            attempt.first_ms = at_ms or (step.at_ms if step else None)
            took, is_about = between(attempt.claimed_ms, attempt.first_ms), at_ms is None and step is not None
            self._pace.begin(at_ms)
            yield self._moment("first_token", attempt.first_ms, took_ms=took, gap_ms=gap, is_about=is_about)
        elif stretch := self._pace.stretch(at_ms):
            yield self._moment("tokens", at_ms, tokens_per_s=stretch.tokens_per_s, gap_ms=stretch.gap_ms)

    def _ending(self, event: Done | Error | Cancelled, at_ms: int | None) -> Moment:
        what = _ENDINGS[type(event)]
        ends = [step.at_ms for step in self._steps.values() if step.what == what]
        self._ended_ms = (ends[0] if ends else None) or at_ms
        took = None
        if self._attempts and self._attempts[-1].ended_ms is None:
            took = between(self._attempts[-1].first_ms, self._ended_ms)
            self._attempts[-1].ended_ms = self._ended_ms
        return self._moment(what, self._ended_ms, took_ms=took, note=_note_of(event))

    def _moment(self, what: What, at_ms: int | None, **more: Any) -> Moment:
        attempt = self._attempts[-1] if self._attempts else None
        tokens = sum(each.tokens for each in self._attempts)
        named = {"attempt": attempt.number, "worker": attempt.worker} if attempt else {}
        return Moment(what=what, at_ms=at_ms, tokens=tokens, **named, **more)


def _note_of(event: Done | Error | Cancelled) -> str:
    match event:
        case Done():
            return event.reason
        case Error():
            return f"{event.code}: {event.message}"
        case Cancelled():
            return event.reason
