"""C9, C10, and what else has a clock: fairness, stalls, refusals, cancels. Pure."""

from collections import defaultdict
from itertools import pairwise

from tests.chaos import history as h
from tests.chaos.evidence import TERMINAL, Evidence
from tests.chaos.verdict import Verdict


def polite_clients_fare_alike(evidence: Evidence) -> Verdict:
    """C9: Jain's index over what clients that asked for the same were given, while all of them asked."""
    wanted = evidence.rules.fairness
    tokens = _characters_by_client(evidence)
    index = jain(list(tokens.values()))
    faults = [f"Jain's index is {index:.3f}, {wanted} is wanted"] if wanted and index < wanted else []
    return Verdict("C9", "polite clients fare alike", len(tokens) if wanted else 0, faults, f"Jain {index:.3f}")


def jain(shares: list[int]) -> float:
    """Jain's fairness index: 1 when all shares are equal, 1/n when one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _characters_by_client(evidence: Evidence) -> dict[str, int]:
    storm = evidence.census["base"].at if "base" in evidence.census else 0.0
    polite = {
        request: asked.client
        for request, asked in evidence.asked.items()
        if asked.manners == "polite" and asked.at >= storm
    }
    last_asked = defaultdict[str, float](float)
    for request, client in polite.items():
        last_asked[client] = max(last_asked[client], evidence.asked[request].at)
    until = min(last_asked.values(), default=0.0)
    shares = dict.fromkeys(last_asked, 0)
    for request, client in polite.items():
        events = evidence.received.get(request, ())
        shares[client] += sum(len(event.content) for event in events if event.at <= until)
    return shares


def somebody_always_gets_on(evidence: Evidence) -> Verdict:
    """C10: while anybody waits, an event comes to somebody within the bound; a stream that began goes on within its."""
    rules = evidence.rules
    stall_s, stall_at = _longest_stall(evidence)
    gap_s, gap_of = _longest_gap(evidence)
    faults: list[str] = []
    if stall_s > rules.stall_s:
        faults.append(f"nobody got anything for {stall_s:.1f} s, until {stall_at:.1f} s")
    if rules.gap_s is not None and gap_s > rules.gap_s:
        faults.append(f"{gap_of}: silent for {gap_s:.1f} s in mid-stream, {rules.gap_s} s is the bound")
    figure = f"longest stall {stall_s:.2f} s, longest gap {gap_s:.2f} s"
    return Verdict("C10", "somebody always gets on", len(evidence.received), faults, figure)


def _longest_stall(evidence: Evidence) -> tuple[float, float]:
    waiting: set[str] = set()
    since = longest = at = 0.0
    for record in evidence.records:
        if isinstance(record, h.Asked):
            since = since if waiting else record.at
            waiting.add(record.request)
        elif isinstance(record, h.Received | h.Over | h.Answered):
            if waiting and record.at - since > longest:
                longest, at = record.at - since, record.at
            since = record.at
            if isinstance(record, h.Over):
                waiting.discard(record.request)
    return longest, at


def _longest_gap(evidence: Evidence) -> tuple[float, str]:
    gaps = [
        (after.at - before.at, request)
        for request, events in evidence.received.items()
        if evidence.asked[request].manners != "slow"
        for before, after in pairwise(events)
    ]
    return max(gaps, default=(0.0, ""))


def takeovers_are_as_expected(evidence: Evidence) -> Verdict:
    """A living worker keeps its jobs: no more attempts begin than the scenario allows.

    One whose claim's reply was lost never began: `mine` gives its job back, and nobody's work was taken over.
    """
    allowed = evidence.rules.takeovers
    begun = {job: sum(event.status == "started" for event in log) for job, log in evidence.logged.items()}
    takeovers = {job: attempts - 1 for job, attempts in begun.items() if attempts > 1}
    total = sum(takeovers.values())
    first = next(iter(takeovers), "none")
    faults = [f"{total} take-overs, as of {first}"] if allowed is not None and total > allowed else []
    return Verdict("take-overs", "living workers keep their jobs", len(evidence.kept), faults, f"{total} take-overs")


def refusals_are_quick(evidence: Evidence) -> Verdict:
    """Whoever can't be served is told so at once."""
    bound = evidence.rules.refused_s
    answers = [answer for answers in evidence.answered.values() for answer in answers if answer.status >= 400]
    slow = [answer for answer in answers if bound is not None and answer.at - answer.tried_at > bound]
    worst = max((answer.at - answer.tried_at for answer in answers), default=0.0)
    faults = [f"{one.request}: {one.status} {one.code} after {one.at - one.tried_at:.2f} s" for one in slow]
    return Verdict("refusals", "refusals are quick", len(answers), faults, f"worst {worst:.2f} s")


def the_pool_comes_back(evidence: Evidence) -> Verdict:
    """When a fault is mended, clients that wait get on within the bound."""
    bound, longest = evidence.rules.back_s, 0.0
    healed_at: float | None = None
    mended, faults = 0, list[str]()
    for record in evidence.records:
        if isinstance(record, h.Healed):
            healed_at, mended = record.at, mended + 1
        elif isinstance(record, h.Struck | h.Asked):
            # Struck again, or asked only now: what comes next says nothing of the healing.
            healed_at = None
        elif isinstance(record, h.Received) and healed_at is not None:
            longest = max(longest, record.at - healed_at)
            if bound is not None and record.at - healed_at > bound:
                faults.append(f"{record.at - healed_at:.2f} s from the healing at {healed_at:.1f} s to the next event")
            healed_at = None
    return Verdict("recovery", "the pool comes back", mended, faults, f"longest {longest:.2f} s")


def leaving_frees_the_slot(evidence: Evidence) -> Verdict:
    """A client that leaves takes its job along, within the bound at the 99th percentile."""
    bound = evidence.rules.cancel_p99_s
    delays = sorted(
        max(0.0, batch.at - evidence.left[request].at)
        for request in evidence.left
        for batch in evidence.published.get(evidence.job_of.get(request, ""), ())
        if TERMINAL.intersection(batch.statuses)
    )
    p99 = delays[min(len(delays) - 1, int(len(delays) * 0.99))] if delays else 0.0
    faults = [f"p99 is {p99 * 1e3:.0f} ms"] if bound is not None and p99 > bound else []
    return Verdict("cancels", "leaving frees the slot", len(delays), faults, f"p99 {p99 * 1e3:.0f} ms")


def something_was_tried(evidence: Evidence) -> Verdict:
    """A run in which nothing was struck, or nothing done, proves nothing."""
    rules = evidence.rules
    done = sum(over.how == "done" for over in evidence.over.values())
    faults = [f"only {len(evidence.struck)} strikes"] if len(evidence.struck) < rules.min_struck else []
    faults += [f"only {done} requests were done"] if done < rules.min_done else []
    figure = f"{len(evidence.struck)} strikes, {done} of {len(evidence.asked)} requests done"
    return Verdict("effort", "something was tried", len(evidence.asked), faults, figure)
