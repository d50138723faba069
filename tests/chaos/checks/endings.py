"""C1, C2, C3 and C6: what was accepted ends, once, and nothing else happens. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.evidence import TERMINAL, Evidence
from tests.chaos.verdict import Verdict


def nothing_accepted_is_lost(evidence: Evidence) -> Verdict:
    """C1: whoever was told yes gets the job's end, and the end is `done` unless somebody wanted another one."""
    accepted = [request for request in evidence.asked if evidence.is_accepted(request)]
    faults = [f"{request}: {fault}" for request in accepted if (fault := _loss(evidence, request))]
    return Verdict("C1", "nothing accepted is lost", len(accepted), faults, f"{len(faults)} lost of {len(accepted)}")


def _loss(evidence: Evidence, request: str) -> str:
    over = evidence.over.get(request)
    wanted = evidence.wanted_error(request)
    if over is None or over.how in {"lost", "gave_up", "refused"}:
        return (
            f"accepted, and its client saw no end: {over.how if over else 'still waiting'} {over.code if over else ''}"
        )
    if wanted and over.how != "left" and (over.how, over.code) != ("error", wanted):
        return f"must end in {wanted}, ended in {over.how} {over.code}"
    if over.how == "error" and over.code not in {wanted, *evidence.rules.may_end_in}:
        return f"ended in error {over.code}"
    if over.how == "cancelled" and not evidence.is_given_up(evidence.job_of[request]):
        return "cancelled, though nobody left"
    return ""


def nothing_unasked_appears(evidence: Evidence) -> Verdict:
    """C2: every job in the broker was asked for, and none of them by requests that were all refused."""
    faults = [f"{job}: runs, though it was refused" for job in evidence.jobs if _is_refused(evidence, job)]
    unknown = [job for job in evidence.jobs if job not in evidence.requests_of]
    # Without a key, a submit whose answer was lost leaves a job that its client can't name.
    nameless = [name for name in evidence.asked if name not in evidence.job_of and evidence.may_be_accepted(name)]
    faults += [f"{job}: nobody asked for it" for job in unknown[len(nameless) :]]
    return Verdict("C2", "nothing unasked appears", len(evidence.jobs), faults)


def _is_refused(evidence: Evidence, job: str) -> bool:
    requests = evidence.requests_of.get(job, [])
    return bool(requests) and not any(evidence.may_be_accepted(request) for request in requests)


def a_job_ends_once(evidence: Evidence) -> Verdict:
    """C3: one of done, error, cancelled, once, as the last event; clients are told the same."""
    faults = [f"{job}: {fault}" for job in evidence.logged for fault in _log_ends(evidence, job)]
    faults += [f"{request}: {fault}" for request in evidence.received for fault in _client_ends(evidence, request)]
    return Verdict("C3", "a job ends once", len(evidence.logged) + len(evidence.received), faults)


def _log_ends(evidence: Evidence, job: str) -> Iterator[str]:
    statuses = [event.status for event in evidence.logged[job]]
    ends = [status for status in statuses if status in TERMINAL]
    if len(ends) != 1:
        yield f"its log has {len(ends)} ends"
    elif statuses[-1] != ends[0]:
        yield f"its log goes on behind {ends[0]}"


def _client_ends(evidence: Evidence, request: str) -> Iterator[str]:
    statuses = [event.status for event in evidence.received[request] if event.seq]
    ends = [status for status in statuses if status in TERMINAL]
    if len(ends) > 1 or (ends and statuses[-1] != ends[0]):
        yield f"was told {', '.join(ends)} with {len(statuses)} events"
    log = evidence.logged.get(evidence.job_of.get(request, ""), [])
    if ends and log and log[-1].status in TERMINAL and log[-1].status != ends[0]:
        yield f"was told {ends[0]}, the log says {log[-1].status}"


def deliveries_are_bounded(evidence: Evidence) -> Verdict:
    """C6: attempts without a token in a row stay within the limit, and poison kills no more engines than it may."""
    limit, deaths = evidence.rules.barren_limit, evidence.rules.engine_deaths
    faults: list[str] = []
    most = 0
    for job, kept in evidence.kept.items():
        most = max(most, kept.attempt)
        # A submit that meets a job given up as unheard begins it anew: attempts go on, the log does not.
        if not evidence.is_given_up(job) and (barren := _barren_in_a_row(evidence, job)) > limit:
            faults.append(f"{job}: {barren} attempts in a row without a token")
        requests = evidence.requests_of.get(job, [])
        if deaths is not None and kept.attempt > deaths and any(map(evidence.wanted_error, requests)):
            faults.append(f"{job}: was given {kept.attempt} engines to kill, {deaths} are allowed")
    return Verdict("C6", "deliveries are bounded", len(evidence.kept), faults, f"at most {most} attempts at a job")


def _barren_in_a_row(evidence: Evidence, job: str) -> int:
    fruitful = sorted({event.attempt for event in evidence.logged.get(job, ()) if event.status in {"token", "done"}})
    marks = [0, *fruitful, evidence.kept[job].attempt + 1]
    return max(after - before - 1 for before, after in pairwise(marks))
