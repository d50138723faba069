"""Histories made by hand, for the checker's own tests: one that is flawless, and ways to plant a fault in it."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from . import history as h
from .oracle import Answer, answer_of
from .rules import Rules

Records = list[h.AnyRecord]
Fault = Callable[[Records], Records]
BODY: dict[str, Any] = {"prompt": "a tale", "max_tokens": 9, "logprobs": 1}
PIECES = 3


class Tale:
    """Tells of jobs, each in a second of its own; `records` is the history."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._now = 0.0
        self.records: Records = [
            h.Began(at=0, scenario="by hand", seed=0, seconds=1, rules=rules or Rules(min_struck=0))
        ]
        self.records.append(census("base", at=0))

    def job(
        self, request: str, *, client: str = "ann", body: dict[str, Any] | None = None, attempts: int = 1
    ) -> "Tale":
        """Tell of a request that was asked, run, received and logged; each attempt gets on by a piece."""
        self._now += 1
        at, job, body = self._now, f"job-{request}", body or BODY
        answer = answer_of(msgspec.json.encode(body), job)
        self.records += [
            h.Asked(at=at, request=request, client=client, body=body, job=job),
            h.Answered(at=at + 0.1, request=request, outcome="ok", tried_at=at, status=200, job=job),
        ]
        log = list(_log(job, answer, attempts))
        self.records += [_received(event, request, at + 0.1 + 0.05 * event.seq) for event in log]
        self.records.append(h.Over(at=at + 0.9, request=request, how="done"))
        self.records += [_published(event, at + 0.1 + 0.05 * event.seq) for event in log]
        self.records += [*log, h.Kept(job=job, at=99, state="ended", attempt=attempts, seq=len(log), ttl_ms=1_000)]
        return self

    def end(self) -> Records:
        """The whole history, the pool at rest."""
        return [*self.records, census("rest", at=100)]


def flawless(rules: Rules | None = None) -> Records:
    """Three jobs of two clients, one of them over two attempts."""
    return Tale(rules).job("a").job("b", client="bob", attempts=2).job("c", body=BODY | {"temperature": 0}).end()


def census(phase: Any, *, at: float, **changes: Any) -> h.Census:
    """A pool with nothing to do."""
    process = h.Process("gateway-1", "gateway", descriptors=20, resident_bytes=50 << 20)
    quiet = h.Census(
        at=at,
        phase=phase,
        waiting=0,
        running=0,
        busy=0,
        unfinished=0,
        strays=[],
        processes=[process],
        quiet_after_s=1.0,
    )
    return msgspec.structs.replace(quiet, **changes)


def change(kind: type[h.Record], place: int = 0, **changes: Any) -> Fault:
    """Change fields of the n-th record of a kind."""

    def plant(records: Records) -> Records:
        found = _places(records, kind)[place]
        return [*records[:found], msgspec.structs.replace(records[found], **changes), *records[found + 1 :]]

    return plant


def drop(kind: type[h.Record], place: int = 0) -> Fault:
    """Leave the n-th record of a kind out."""

    def plant(records: Records) -> Records:
        found = _places(records, kind)[place]
        return [*records[:found], *records[found + 1 :]]

    return plant


def repeat(kind: type[h.Record], place: int = 0, **changes: Any) -> Fault:
    """Write the n-th record of a kind twice, the second one changed."""

    def plant(records: Records) -> Records:
        found = _places(records, kind)[place]
        return [*records[: found + 1], msgspec.structs.replace(records[found], **changes), *records[found + 1 :]]

    return plant


def add(*more: h.AnyRecord) -> Fault:
    """Write more at the end."""
    return lambda records: [*records, *more]


def forget(job: str) -> Fault:
    """Let the broker have no trace of a job."""
    return lambda records: [one for one in records if not (isinstance(one, h.Logged | h.Kept) and one.job == job)]


def all_of(*faults: Fault) -> Fault:
    """Plant several."""

    def plant(records: Records) -> Records:
        for fault in faults:
            records = fault(records)
        return records

    return plant


def _places(records: Sequence[h.AnyRecord], kind: type[h.Record]) -> list[int]:
    return [at for at, record in enumerate(records) if isinstance(record, kind)]


def _log(job: str, answer: Answer, attempts: int) -> list[h.Logged]:
    """Three token events, the last attempts coming in between; the text stands with the first of them."""
    size = -(-len(answer.ids) // PIECES)
    events: list[h.Logged] = []

    def say(status: str, **more: Any) -> None:
        events.append(h.Logged(at=99, job=job, seq=len(events) + 1, attempt=attempt, status=status, **more))

    attempt = 1
    for piece in range(PIECES):
        if piece == 0 or piece < attempts:
            attempt = piece + 1
            say("started", worker=f"mac-{attempt}")
        part = slice(piece * size, (piece + 1) * size)
        logprobs = (answer.logprobs or [])[part]
        say("token", content=answer.text if piece == 0 else "", tokens=answer.ids[part], logprobs=logprobs)
    say("done", prompt_tokens=answer.prompt_tokens, completion_tokens=len(answer.ids))
    return events


def _received(event: h.Logged, request: str, at: float) -> h.Received:
    return h.Received(
        at=at,
        request=request,
        seq=event.seq,
        status=event.status,
        content=event.content,
        completion_tokens=event.completion_tokens,
    )


def _published(event: h.Logged, at: float) -> h.Published:
    return h.Published(
        at=at, job=event.job, attempt=event.attempt, worker="w", first_seq=event.seq, statuses=[event.status]
    )
