"""Chats and agents' bursts, at what `first` can just do: by homes, beside first come, first served."""

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from bench.placement.talks import talks
from bench.table import table

from .client import Replay, replay
from .figures import Figures, figures_of
from .macs import FULL_RATE, Placement, Tallied, macs, tallied

_PLACEMENTS: tuple[Placement, ...] = ("first", "best")
_HEAD = (
    *("seed", "placement", "turns", "failed", "mean s", "p95 s", "of first's mean", "cached", "later turns at home"),
    *("home claims", "forced", "looks a job", "held s"),
)


class Measured(msgspec.Struct, frozen=True):
    """A run."""

    seed: int
    placement: Placement
    figures: Figures
    tallied: Tallied


def measure(
    folder: Path, broker: str, *, load: float, pace: float, seeds: Sequence[int], seconds: float, warm_s: float
) -> str:
    """Replay the same talks of each seed to both, by turns who is first; the table."""
    measured: list[Measured] = []
    for place, seed in enumerate(seeds):
        for placement in _PLACEMENTS[:: -1 if place % 2 else 1]:
            where = folder / f"chats-{seed}-{placement}"
            with macs(where, broker, pace=pace, placement=placement) as (running, _):
                asked = talks(FULL_RATE * load, seconds * pace, seed)
                got = replay(Replay(talks=asked, port=running.port, pace=pace, seconds=seconds))
                figures = figures_of(got, from_s=warm_s)
                measured.append(Measured(seed, placement, figures, tallied(running.port)))
            told = f"mean {figures.mean_s:.2f} s, cached {figures.cached_share:.2f}"
            print(f"… chats, seed {seed}, {placement}: {told}", file=sys.stderr, flush=True)
    return _report(measured, seeds)


def _report(measured: Sequence[Measured], seeds: Sequence[int]) -> str:
    by_run = {(one.seed, one.placement): one for one in measured}
    rows: list[list[str]] = []
    for placement in _PLACEMENTS:
        runs = [by_run[seed, placement] for seed in seeds]
        rows += [_row(one, by_run[one.seed, "first"]) for one in runs]
    for placement in _PLACEMENTS:
        mean = fmean(by_run[seed, placement].figures.mean_s for seed in seeds)
        first = fmean(by_run[seed, "first"].figures.mean_s for seed in seeds)
        cached = fmean(by_run[seed, placement].figures.cached_share for seed in seeds)
        told = ["all", placement, "", "", f"{mean:.2f}", "", f"{mean / (first or 1):.2f}", f"{cached:.2f}"]
        rows.append([*told, *[""] * (len(_HEAD) - len(told))])
    return table(_HEAD, rows)


def _row(one: Measured, first: Measured) -> list[str]:
    figures, counted = one.figures, one.tallied
    return [
        *(str(one.seed), one.placement, str(figures.asked), str(figures.failed + figures.turned_away)),
        *(f"{figures.mean_s:.2f}", f"{figures.p95_s:.2f}", f"{figures.mean_s / (first.figures.mean_s or 1):.2f}"),
        *(f"{figures.cached_share:.2f}", f"{figures.home_share:.0%}"),
        *(str(counted.home_claims), str(counted.forced_claims)),
        *(f"{counted.looks / max(1, counted.jobs):.1f}", f"{counted.held_s:.1f}"),
    ]
