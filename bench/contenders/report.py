"""From rounds to tables. Every ratio is taken within a round, and told as the median of the rounds'. Pure."""

import statistics
from collections.abc import Callable, Collection, Sequence

from bench.load.orders import Result
from bench.table import table

from .rounds import Case, Measured

Figure = Callable[[Result], float]


def report(measured: Sequence[Measured], raw: str, peers: Collection[str]) -> str:
    """Every contender in every case, beside the one named `raw` and the better of the `peers` in the same round."""
    rows = [_row(one, _of(measured, one.case, {raw}), _of(measured, one.case, peers)) for one in measured]
    return table(_HEAD, rows)


def beside_peers(measured: Sequence[Measured], name: str, peers: Collection[str]) -> str:
    """One contender's figures as shares of the better peer's, figure by figure; empty where no peer was measured."""
    compared = [(one, _of(measured, one.case, peers)) for one in measured if one.name == name]
    rows = [
        [
            *(one.case.model, one.case.sampling, str(one.case.streams)),
            *(_share(one, beside, figure, better) for figure, better in _COMPARED),
        ]
        for one, beside in compared
        if beside
    ]
    return table((f"{name}, of the better peer's", *_COMPARED_HEAD), rows) if rows else ""


def _rate(result: Result) -> float:
    return result.tokens / result.seconds


_HEAD = (
    *("contender", "model", "sampling", "streams", "tokens", "tokens/s", "of raw", "of the better peer"),
    *("first token ms p50", "p99", "gap ms p50", "p99", "engine CPU ms/token", "others"),
)
_COMPARED_HEAD = ("sampling", "streams", "tokens/s", "first token p50", "p99", "gap p50", "p99")
_COMPARED: tuple[tuple[Figure, Callable[[Sequence[float]], float]], ...] = (
    (_rate, max),
    (lambda result: result.first_ms.p50, min),
    (lambda result: result.first_ms.p99, min),
    (lambda result: result.gap_ms.p50, min),
    (lambda result: result.gap_ms.p99, min),
)


def _of(measured: Sequence[Measured], case: Case, names: Collection[str]) -> list[Measured]:
    return [one for one in measured if one.case == case and one.name in names]


def _share(
    one: Measured, beside: Sequence[Measured], figure: Figure, better: Callable[[Sequence[float]], float]
) -> str:
    """Divide by the best that stands beside it, round by round."""
    if not beside:
        return "–"
    rounds = zip(one.results, *(other.results for other in beside), strict=True)
    bests = [(figure(own), better([figure(other) for other in others])) for own, *others in rounds]
    return f"{statistics.median(own / best for own, best in bests):.0%}" if all(best for _, best in bests) else "–"


def _row(one: Measured, raw: Sequence[Measured], peers: Sequence[Measured]) -> list[str]:
    case, rates = one.case, [_rate(result) for result in one.results]
    median = one.results[rates.index(statistics.median_low(rates))]
    return [
        *(one.name, case.model, case.sampling, str(case.streams)),
        f"{median.tokens / case.streams:.4g}",  # fewer than were ordered where a model ended its turn
        f"{_rate(median):,.1f}",
        *(_share(one, beside, _rate, max) for beside in (raw, peers)),
        *(f"{first:,.0f}" for first in (median.first_ms.p50, median.first_ms.p99)),
        *(f"{gap:,.1f}" for gap in (median.gap_ms.p50, median.gap_ms.p99)),
        *_cpu_cells(median),
    ]


def _cpu_cells(result: Result) -> list[str]:
    """What the process with the model spent, and what all others of the contender did; the load generator is none."""
    others = [cpu_s for name, cpu_s in result.cpu_s.items() if name not in {"engine", "generator"}]
    spent = (result.cpu_s.get("engine"), sum(others) if others else None)
    return ["–" if cpu_s is None else f"{cpu_s / result.tokens * 1_000:.2f}" for cpu_s in spent]
