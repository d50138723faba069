"""`python -m bench.placement`: what placement is worth in a simulated pool, beside taking the oldest first."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from statistics import fmean

import msgspec

from bench.flags import read_flags
from bench.table import table

from .pool import simulate
from .rules import RULES


class Flags(msgspec.Struct, frozen=True):
    """What is simulated."""

    loads: list[int]
    seeds: list[int]
    seconds: float
    held_ms: float


def main(argv: Sequence[str]) -> None:
    """Simulate, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    print(f"`python -m bench.placement {shlex.join(argv)}`\n", flush=True)
    print(_report(flags))


def _report(flags: Flags) -> str:
    head = ("load", "rule", "jobs", "mean wait s", "p95 s", "cached", "of oldest first")
    rows: list[list[str]] = []
    for load in flags.loads:
        first = 0.0
        for rule in RULES:
            runs = [
                simulate(rule, load / 100, seed=seed, seconds=flags.seconds, held_s=flags.held_ms / 1_000)
                for seed in flags.seeds
            ]
            mean = fmean(run.mean_wait_s for run in runs)
            first = first or mean
            rows.append(
                [
                    *(f"{load} %", rule, str(sum(run.jobs for run in runs)), f"{mean:.2f}"),
                    f"{fmean(run.p95_wait_s for run in runs):.1f}",
                    f"{fmean(run.cached_share for run in runs):.2f}",
                    f"{mean / first:.2f}",
                ]
            )
    return table(head, rows)


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.placement", description="What is placement worth?")
    flag = parser.add_argument
    flag("--loads", default="50,100,130", help="in %% of what the pool can do by taking the oldest first (%(default)s)")
    flag("--seeds", default="1,2,3", help="one run each (%(default)s)")
    flag("--seconds", default="900", help="simulated, the first two minutes not judged (%(default)s)")
    flag("--held-ms", default="0", help="of prompts unread, above which a machine takes no more (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
