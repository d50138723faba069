"""Verdicts as people read them. Pure."""

from collections.abc import Iterator, Sequence

from .verdict import Verdict

_SHOWN = 8


def report(verdicts: Sequence[Verdict]) -> str:
    """One line a rule, and behind it what breaks it."""
    return "\n".join(line for verdict in verdicts for line in _lines(verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    sign = "FAIL" if verdict.faults else "ok" if verdict.checked else "–"
    yield f"  {sign:<4} {verdict.rule:<10} {verdict.promise:<34} {verdict.checked:>6}   {verdict.figure}".rstrip()
    yield from (f"         {fault}" for fault in verdict.faults[:_SHOWN])
    if len(verdict.faults) > _SHOWN:
        yield f"         … and {len(verdict.faults) - _SHOWN} more"
