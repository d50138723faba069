"""C8: when the storm is over, the pool is as it was before it. Pure."""

from collections.abc import Iterator
from typing import Literal

from tests.chaos.evidence import Evidence
from tests.chaos.history import Census
from tests.chaos.verdict import Verdict

_MB = 1 << 20


def all_is_quiet(evidence: Evidence) -> Verdict:
    """C8: nothing runs or waits; keys, consumers, descriptors and memory are back at base."""
    rest = evidence.census.get("rest")
    if rest is None:
        return Verdict("C8", "all is quiet", 0, ["nobody looked at the pool at rest"])
    faults = [*_left_over(rest), *rest.strays, *_growth(evidence, rest)]
    if rest.quiet_after_s > evidence.rules.quiet_s:
        faults.append(f"quiet only after {rest.quiet_after_s:.1f} s")
    return Verdict("C8", "all is quiet", 1, faults, f"quiet after {rest.quiet_after_s:.1f} s")


def _left_over(rest: Census) -> Iterator[str]:
    counts = {"waiting": rest.waiting, "running": rest.running, "busy slots": rest.busy, "unfinished": rest.unfinished}
    yield from (f"{count} {what}" for what, count in counts.items() if count)


def _growth(evidence: Evidence, rest: Census) -> Iterator[str]:
    rules = evidence.rules
    for process in rest.processes:
        descriptors = _at_base(evidence, process.kind, "descriptors")
        if process.descriptors is not None and process.descriptors > descriptors + rules.descriptors:
            yield f"{process.name} has {process.descriptors} descriptors, {descriptors} at base"
        resident = _at_base(evidence, process.kind, "resident_bytes")
        # The broker keeps logs and records for their time.
        if process.kind != "broker" and (process.resident_bytes or 0) > resident + rules.resident_mb * _MB:
            yield f"{process.name} has {(process.resident_bytes or 0) // _MB} MB, {resident // _MB} at base"


def _at_base(evidence: Evidence, kind: str, field: Literal["descriptors", "resident_bytes"]) -> int:
    base = evidence.census["base"].processes if "base" in evidence.census else []
    return max((getattr(process, field) or 0 for process in base if process.kind == kind), default=0)
