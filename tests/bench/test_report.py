"""A machine drifts, so ratios are taken side by side: within a round, against the better peer of that round."""

from bench.contenders.report import beside_peers, report
from bench.contenders.rounds import Case, Measured
from bench.load.orders import Result, Spread

CASE = Case("tiny", "greedy", 4, 10)
PEERS = ("slow", "quick")


def result(seconds: float, first_ms: float = 10.0, tokens: int = 40) -> Result:
    spread = Spread(first_ms, first_ms, first_ms)
    return Result(seconds=seconds, tokens=tokens, events=1, reads=1, characters=1, first_ms=spread, gap_ms=spread)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """The machine slows down tenfold from round to round; the contender is always twice as fast as raw."""
    raw = Measured(CASE, "raw", [result(1.0), result(10.0), result(100.0)])
    pool = Measured(CASE, "pool", [result(0.5), result(5.0), result(50.0)])

    row = cells(report([raw, pool], "raw", PEERS).splitlines()[-1])

    assert row[:8] == ["pool", "tiny", "greedy", "4", "10", "8.0", "200%", "–"]


def test_the_better_peer_is_chosen_figure_by_figure() -> None:
    """One peer streams faster, the other begins earlier: neither figure is compared with the weaker one."""
    early = Measured(CASE, "slow", [result(4.0, first_ms=20.0)])
    quick = Measured(CASE, "quick", [result(2.0, first_ms=80.0)])
    pool = Measured(CASE, "pool", [result(1.0, first_ms=10.0)])

    row = cells(beside_peers([early, quick, pool], "pool", PEERS).splitlines()[-1])

    assert row == ["tiny", "greedy", "4", "200%", "50%", "50%", "50%", "50%"]


def test_without_peers_nothing_is_compared_with_them() -> None:
    """A machine where none can run still measures the rest."""
    assert beside_peers([Measured(CASE, "pool", [result(1.0)])], "pool", PEERS) == ""


def test_streams_that_ended_early_show() -> None:
    """A model may end its turn: a contender with fewer tokens a stream had a smaller batch to carry."""
    row = cells(report([Measured(CASE, "pool", [result(1.0, tokens=38)])], "raw", PEERS).splitlines()[-1])

    assert row[4] == "9.5"
