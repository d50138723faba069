"""Rounds: every contender carries out the same load, one after the other, so that a drifting machine tilts nothing."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bench.load.orders import Result
from bench.table import table

from .contender import Contender, Load, Sampling
from .lineup import RAW

_WARM_TOKENS = 8


class Case(msgspec.Struct, frozen=True):
    """A model, how it samples, and so many streams of so many tokens."""

    model: str
    sampling: Sampling
    streams: int
    tokens: int


class Measured(msgspec.Struct, frozen=True):
    """A contender in a case, one result a round."""

    case: Case
    name: str
    results: list[Result]

    @property
    def rates(self) -> list[float]:
        """Tokens a second, by round."""
        return [result.tokens / result.seconds for result in self.results]


def measure(contenders: Mapping[str, Contender], case: Case, rounds: int, numbers: Iterator[int]) -> list[Measured]:
    """Measure a case. Each round begins with another contender; a short load first warms all of them up."""
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender.measure(Load(case.streams, _WARM_TOKENS, case.sampling, next(numbers)))
    names = list(contenders)
    for number in range(rounds):
        load = Load(case.streams, case.tokens, case.sampling, next(numbers))
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            results[name].append(contenders[name].measure(load))
    return [Measured(case, name, results[name]) for name in names]


def report(measured: Sequence[Measured]) -> str:
    """The table. A ratio is the median of a contender's rounds, each by the raw one beside it."""
    raw = {one.case: one.rates for one in measured if one.name == RAW}
    return table(_HEAD, [_row(one, raw.get(one.case)) for one in measured])


_HEAD = (
    *("contender", "model", "sampling", "streams", "tokens", "tokens/s", "of raw"),
    *("first token ms p50", "p99", "gap ms p50", "p99", "engine CPU ms/token", "others"),
)


def _row(measured: Measured, raw: Sequence[float] | None) -> list[str]:
    case, rates = measured.case, measured.rates
    ratios = [rate / beside for rate, beside in zip(rates, raw, strict=True)] if raw else []
    median = measured.results[rates.index(statistics.median_low(rates))]
    return [
        *(measured.name, case.model, case.sampling, str(case.streams), str(case.tokens)),
        f"{statistics.median_low(rates):,.1f}",
        f"{statistics.median(ratios):.0%}" if ratios else "–",
        *(f"{first:,.0f}" for first in (median.first_ms.p50, median.first_ms.p99)),
        *(f"{gap:,.1f}" for gap in (median.gap_ms.p50, median.gap_ms.p99)),
        *_cpu_cells(median),
    ]


def _cpu_cells(result: Result) -> list[str]:
    """What the process with the model spent, and what all others of the contender did; the load generator is none."""
    others = [cpu_s for name, cpu_s in result.cpu_s.items() if name not in {"engine", "generator"}]
    spent = (result.cpu_s.get("engine"), sum(others) if others else None)
    return ["–" if cpu_s is None else f"{cpu_s / result.tokens * 1_000:.2f}" for cpu_s in spent]
