"""What must hold of a queue at any instant, and at rest, whatever was done to it: told from what Redis holds alone."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from shared.event import decode_event
from shared.survey import Survey

from .gist import is_end
from .sight import Sight, gist_of_data
from .world import WINDOW

MAX_BARREN = 5  # attempts in a row without a token
PERMANENT = {"jobs", "workers", "deadlines", "dead", "model", "limits", "tick", "cancels"}
UNTIL_REST = {"win", "tenants"}  # gone as soon as nothing waits or runs


def broken(sight: Sight, survey: Survey) -> list[str]:
    """What is broken, in words."""
    return [*_logs(sight), *_records(sight), *_deliveries(sight), *_keys(sight), *_counts(sight, survey)]


def restless(sight: Sight) -> list[str]:
    """What a quiet system must not have: entries, deliveries, consumers, leases, deadlines, jobs without an end."""
    left = [f"{name} has {places}" for name, places in sight.streams.items() if places]
    left += [f"{what} is left" for what in (sight.consumers, sight.leases, sight.deadlines, sight.cancels) if what]
    left += [f"{key} is left" for key in sight.expiries if key.partition(":")[0] in UNTIL_REST]
    left += [
        f"{job_id} has not ended" for job_id, each in sight.records.items() if each.get("state", "ended") != "ended"
    ]
    return left


def _logs(sight: Sight) -> Iterator[str]:
    for job_id, entries in sight.logs.items():
        seqs = [entry.seq for entry in entries]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"the log of {job_id} has holes or repeats: {seqs}"
        if seqs != [event and event.seq for event in (decode_event(entry.data) for entry in entries)]:
            yield f"an event of {job_id} bears another number than its entry"
        if any(later.attempt < earlier.attempt for earlier, later in pairwise(entries)):
            yield f"an older attempt at {job_id} landed behind a newer one"
        if any(is_end(gist_of_data(entry.data)) for entry in entries[:-1]):
            yield f"the log of {job_id} goes on behind its end"


def _records(sight: Sight) -> Iterator[str]:
    for job_id, record in sight.records.items():
        log = sight.logs.get(job_id, [])
        has_end = bool(log) and is_end(gist_of_data(log[-1].data))
        if has_end != (record.get("state") == "ended"):
            yield f"{job_id} is {record.get('state')}, and its log has {'an' if has_end else 'no'} end"
        if int(record.get("seq", "0")) != len(log):
            yield f"the record of {job_id} counts {record.get('seq')} events, its log {len(log)}"
        if log and int(record["attempt"]) < log[-1].attempt:
            yield f"the log of {job_id} is ahead of its attempt"
        if int(record.get("barren", "0")) >= MAX_BARREN:
            yield f"{job_id} has had {record['barren']} attempts without a token"


def _deliveries(sight: Sight) -> Iterator[str]:
    """Whatever is delivered has one owner, who runs it; whatever runs was delivered to its owner."""
    delivered = {
        f"{name}:{place.id}": place
        for name, places in sight.streams.items()
        for place in places
        if place.reader not in {"", WINDOW}
    }
    owned = {
        record["entry"]: record.get("owner", "")
        for record in sight.records.values()
        if record.get("state") == "running"
    }
    readers = {entry: place.reader for entry, place in delivered.items()}
    if readers != owned:
        yield f"delivered: {readers}, run: {owned}"
    waiting = {record["entry"] for record in sight.records.values() if record.get("state") == "waiting"}
    missing = waiting - {f"{name}:{place.id}" for name, places in sight.streams.items() for place in places}
    if missing:
        yield f"jobs wait whose entries are gone: {missing}"


def _keys(sight: Sight) -> Iterator[str]:
    for key, expires_at in sight.expiries.items():
        if (expires_at < 0) != (key.partition(":")[0] in PERMANENT | UNTIL_REST):
            yield f"{key} has {'no' if expires_at < 0 else 'a'} TTL"
    for job_id in sight.logs:
        if sight.expiries[f"log:{job_id}"] != sight.expiries.get(f"job:{job_id}"):
            yield f"log and record of {job_id} do not leave together"
    for job_id, each in sight.records.items():
        ends_at = int(each.get("deadline", "0"))
        if sight.deadlines.get(job_id, ends_at) != ends_at:
            yield f"{job_id} is due at {ends_at} by its record, at {sight.deadlines[job_id]} by the reapers' list"
        if each.get("state") != "ended" and sight.expiries[f"job:{job_id}"] < ends_at:
            yield f"the record of {job_id} does not outlive its deadline"


def _counts(sight: Sight, survey: Survey) -> Iterator[str]:
    states = Counter(f"{each['state']} {each.get('tenant', '')}" for each in sight.records.values() if "state" in each)
    unfinished = {what: n for what, n in states.items() if not what.startswith("ended ")}
    if sight.tenants != unfinished:
        yield f"of tenants' jobs Redis counts {sight.tenants}, there are {unfinished}"
    counted = {name: sight.waiting(name) for name in sight.streams}
    if (survey.waiting, survey.running) != (counted, sight.running()):
        yield f"the survey counts {survey.waiting} and {survey.running}, Redis holds {counted} and {sight.running()}"
