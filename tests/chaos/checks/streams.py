"""C4, C5 and C7: every stream is whole, is the right text, and no older attempt writes into it. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.chaos.evidence import Evidence
from tests.chaos.history import Logged, Received
from tests.chaos.oracle import Answer
from tests.chaos.verdict import Verdict


def streams_are_whole(evidence: Evidence) -> Verdict:
    """C4: seqs 1, 2, … without gap or repeat; text, ids and logprobs are the oracle's, whatever happened."""
    faults = [f"{job}: {fault}" for job in evidence.logged for fault in _log_faults(evidence, job)]
    faults += [f"{request}: {fault}" for request in evidence.received for fault in _stream_faults(evidence, request)]
    whole = sum(over.how == "done" for over in evidence.over.values())
    return Verdict(
        "C4", "streams are whole", len(evidence.logged) + len(evidence.received), faults, f"{whole} done at clients"
    )


def _log_faults(evidence: Evidence, job: str) -> Iterator[str]:
    events, answer = evidence.logged[job], evidence.answer(job)
    yield from _seq_faults("its log", [event.seq for event in events])
    if answer is None:
        return
    is_done = events[-1].status == "done"
    yield from _text_faults("its log", events, answer, is_done=is_done)
    ids = [token for event in events for token in event.tokens]
    if ids != (answer.ids if is_done else answer.ids[: len(ids)]):
        yield f"its log has {len(ids)} ids that are not the {len(answer.ids)} expected"
    likely = [logprob for event in events for logprob in event.logprobs]
    if answer.logprobs is not None and likely != answer.logprobs[: len(ids)]:
        yield f"its log has {len(likely)} logprobs that are not those of its {len(ids)} ids"


def _stream_faults(evidence: Evidence, request: str) -> Iterator[str]:
    events = [event for event in evidence.received[request] if event.seq]
    job = evidence.job_of.get(request, "")
    yield from _seq_faults("its client", [event.seq for event in events])
    answer = evidence.answer(job)
    if answer is not None:
        is_done = bool(events) and events[-1].status == "done"
        yield from _text_faults("its client", events, answer, is_done=is_done)
    if evidence.rules.is_tail_kept:
        yield from _differences(events, evidence.logged.get(job, []))


def _seq_faults(whose: str, seqs: Sequence[int]) -> Iterator[str]:
    if seqs != list(range(1, len(seqs) + 1)):
        breaks = [f"{before}→{after}" for before, after in pairwise([0, *seqs]) if after != before + 1]
        yield f"{whose} has seqs {', '.join(breaks[:3])}"


def _text_faults(
    whose: str, events: Sequence[Logged] | Sequence[Received], answer: Answer, *, is_done: bool
) -> Iterator[str]:
    text = "".join(event.content for event in events)
    differs_at = _first_difference(text, answer.text)
    if is_done and text != answer.text:
        yield f"{whose} has another text from character {differs_at} of {len(answer.text)} on"
    elif differs_at < len(text):
        yield f"{whose} has a text that is no beginning of the right one, from character {differs_at} on"
    calls = "".join(event.calls for event in events)
    if calls != answer.calls if is_done else not answer.calls.startswith(calls):
        yield f"{whose} has other calls: {calls} for {answer.calls}"


def _first_difference(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _differences(events: Sequence[Received], log: Sequence[Logged]) -> Iterator[str]:
    logged = {event.seq: event for event in log}
    for event in events:
        told = logged.get(event.seq)
        if told is not None and (told.status, told.content, told.calls) != (event.status, event.content, event.calls):
            yield f"was sent {event.status} as event {event.seq}, which is {told.status} in the log"
            return


def old_attempts_are_fenced(evidence: Evidence) -> Verdict:
    """C5: attempts only grow along a log and along a channel; each announces itself before its first token."""
    faults = [f"{job}: {fault}" for job, log in evidence.logged.items() for fault in _fencing(log)]
    if evidence.rules.is_tail_kept:
        for job, batches in evidence.published.items():
            stale = [b for a, b in pairwise(batches) if b.attempt < a.attempt or b.first_seq <= a.first_seq]
            faults += [f"{job}: attempt {one.attempt} published seq {one.first_seq} late" for one in stale]
    takeovers = sum(
        event.status == "started" and event.attempt > 1 for log in evidence.logged.values() for event in log
    )
    return Verdict(
        "C5",
        "old attempts are fenced",
        len(evidence.logged) + len(evidence.published),
        faults,
        f"{takeovers} take-overs",
    )


def _fencing(log: Sequence[Logged]) -> Iterator[str]:
    for before, after in pairwise(log):
        if after.attempt < before.attempt:
            yield f"seq {after.seq} is of attempt {after.attempt}, behind one of attempt {before.attempt}"
    begun: set[int] = set()
    for event in log:
        if event.status == "started":
            begun.add(event.attempt)
        elif event.status in {"token", "done"} and event.attempt not in begun:
            yield f"attempt {event.attempt} says {event.status} before it started"
            return


def usage_is_what_was_received(evidence: Evidence) -> Verdict:
    """C7: the counts in `done` are the ids logged, over all attempts, and the prompt's; clients are told the same."""
    done = [(job, log) for job, log in evidence.logged.items() if log[-1].status == "done"]
    faults = [f"{job}: {fault}" for job, log in done for fault in _usage_faults(log, evidence.answer(job))]
    for request, events in evidence.received.items():
        log = evidence.logged.get(evidence.job_of.get(request, ""), [])
        told = [event.completion_tokens for event in events if event.status == "done"]
        if told and log and log[-1].completion_tokens != told[0]:
            faults.append(f"{request}: was told {told[0]} tokens, the log says {log[-1].completion_tokens}")
    return Verdict("C7", "usage is what was received", len(done), faults)


def _usage_faults(log: Sequence[Logged], answer: Answer | None) -> Iterator[str]:
    ids = sum(len(event.tokens) for event in log)
    end = log[-1]
    if end.completion_tokens != ids:
        yield f"counts {end.completion_tokens} tokens, and logged {ids}"
    if answer and end.prompt_tokens != answer.prompt_tokens:
        yield f"counts {end.prompt_tokens} tokens of prompt, not {answer.prompt_tokens}"
