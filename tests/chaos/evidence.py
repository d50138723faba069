"""A history put in order: what is known of each request and of each job. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec

from . import history as h
from .oracle import Answer, answer_of

REHEARSAL = "rehearsal"
TERMINAL = frozenset({"done", "error", "cancelled"})


class Evidence:
    """Looks into one history; nothing is judged here."""

    def __init__(self, records: Sequence[h.AnyRecord]) -> None:
        self.records = records
        self.began = next(record for record in records if isinstance(record, h.Began))
        self.rules = self.began.rules
        self.asked = {record.request: record for record in _of(records, h.Asked)}
        self.over = {record.request: record for record in _of(records, h.Over)}
        self.left = {record.request: record for record in _of(records, h.Left)}
        self.kept = {record.job: record for record in _of(records, h.Kept)}
        self.struck = _of(records, h.Struck)
        self.pried = _of(records, h.Pried)
        self.answered = _grouped(_of(records, h.Answered), "request")
        self.received = _grouped(_of(records, h.Received), "request")
        self.logged = _grouped(_of(records, h.Logged), "job")
        self.published = _grouped(_of(records, h.Published), "job")
        self.census = {record.phase: record for record in _of(records, h.Census)}

    @cached_property
    def job_of(self) -> dict[str, str]:
        """The job of each request; without those that never learned it."""
        told = {record.request: record.job for record in _of(self.records, h.Answered) if record.job}
        return told | {name: asked.job for name, asked in self.asked.items() if asked.job}

    @cached_property
    def requests_of(self) -> dict[str, list[str]]:
        """The requests behind each job."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for request, job in self.job_of.items():
            found[job].append(request)
        return dict(found)

    @cached_property
    def jobs(self) -> list[str]:
        """Every job that left a trace in the broker."""
        return list(dict.fromkeys([*self.logged, *self.kept]))

    def is_accepted(self, request: str) -> bool:
        """Whether the pool took it: it said so, or events came."""
        is_told = any(answer.outcome == "ok" for answer in self.answered.get(request, ()))
        return is_told or any(event.seq for event in self.received.get(request, ()))

    def may_be_accepted(self, request: str) -> bool:
        """Whether the pool may have taken it, as far as its client can tell."""
        answers = self.answered.get(request, ())
        return self.is_accepted(request) or not answers or any(answer.outcome == "unknown" for answer in answers)

    def is_given_up(self, job: str) -> bool:
        """Whether one of its clients left or cancelled it."""
        return any(request in self.left for request in self.requests_of.get(job, ()))

    def wanted_error(self, request: str) -> str | None:
        """The code that the request must end in, if it is one of those that must."""
        prompt = str(self.asked[request].body.get("prompt", ""))
        return next((code for piece, code in self.rules.must_end_in.items() if piece in prompt), None)

    def answer(self, job: str) -> Answer | None:
        """What the job's text must be; None for a job that nobody is known to have asked for."""
        if job not in self._answers:
            requests = self.requests_of.get(job)
            self._answers[job] = self._find_answer(self.asked[requests[0]], job) if requests else None
        return self._answers[job]

    def _find_answer(self, asked: h.Asked, job: str) -> Answer | None:
        if self.rules.oracle == "scripted":
            return answer_of(msgspec.json.encode(asked.body), job)
        return self._rehearsed.get(msgspec.json.encode(asked.body))

    @cached_property
    def _answers(self) -> dict[str, Answer | None]:
        return {}

    @cached_property
    def _rehearsed(self) -> dict[bytes, Answer]:
        """What each body was answered with before the storm."""
        rehearsed = [asked for asked in self.asked.values() if asked.client == REHEARSAL]
        return {msgspec.json.encode(asked.body): _told(self.logged.get(asked.job, [])) for asked in rehearsed}


def _told(log: Sequence[h.Logged]) -> Answer:
    prompt_tokens = next((event.prompt_tokens for event in log if event.prompt_tokens is not None), 0)
    ids = [token for event in log for token in event.tokens]
    text, calls = "".join(event.content for event in log), "".join(event.calls for event in log)
    return Answer(text, ids, prompt_tokens, calls=calls)


def _of(records: Sequence[h.AnyRecord], kind: type[h.RecordT]) -> list[h.RecordT]:
    return [record for record in records if isinstance(record, kind)]


def _grouped(records: Iterable[h.RecordT], field: str) -> dict[str, list[h.RecordT]]:
    groups: defaultdict[str, list[h.RecordT]] = defaultdict(list)
    for record in records:
        groups[getattr(record, field)].append(record)
    return dict(groups)
