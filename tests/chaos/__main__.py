"""`python -m tests.chaos`: run scenarios, or judge a history again. Exit code 0: every rule held."""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .checker import check
from .history import read_history
from .namespace import is_possible
from .process import ROOT
from .report import report
from .run import HISTORY, run
from .scenario import Scenario
from .scenarios import SCENARIOS
from .verdict import Verdict, all_hold

RUNS = ROOT / ".run" / "chaos"


def main(argv: Sequence[str]) -> int:
    """Run what the flags name."""
    flags = _read_flags(argv)
    if flags.list:
        _show("\n".join(f"{scenario.name:<22} {scenario.story}" for scenario in SCENARIOS.values()))
        return 0
    if flags.check:
        return _judge(flags.check.name, flags.check)
    names = [flags.scenario] if flags.scenario else list(SCENARIOS)
    codes = [_run(SCENARIOS[name], flags) for name in names for _ in range(flags.rounds)]
    return max(codes)


def _run(scenario: Scenario, flags: argparse.Namespace) -> int:
    if scenario.needs_namespaces and not is_possible():
        _show(f"{scenario.name}: skipped, no network namespaces here\n")
        return 0
    seed = secrets.randbits(32) if flags.seed is None else flags.seed
    seconds = scenario.seconds if scenario.is_figure or not flags.seconds else flags.seconds
    folder = RUNS / f"{scenario.name}-{seed}-{time.strftime('%H%M%S')}"
    folder.mkdir(parents=True)
    _show(f"{scenario.name}: --seed {seed} --seconds {seconds:g}   {scenario.story}")
    began = time.monotonic()
    asyncio.run(run(scenario, seed=seed, seconds=seconds, folder=folder))
    return _judge(f"{scenario.name}, {time.monotonic() - began:.0f} s", folder / HISTORY)


def _judge(name: str, path: Path) -> int:
    with path.open("rb") as lines:
        verdicts: list[Verdict] = check(read_history(lines))
    _show(f"{report(verdicts)}\n{'held' if all_hold(verdicts) else 'BROKEN'}: {name}, {path}\n")
    return 0 if all_hold(verdicts) else 1


def _show(text: str) -> None:
    print(text, flush=True)  # noqa: T201 the command's voice


def _read_flags(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="The pool under faults.")
    parser.add_argument("--scenario", choices=SCENARIOS, help="one of --list; all of them without")
    parser.add_argument("--seed", type=int, help="of an earlier run, to have its schedule again")
    parser.add_argument("--seconds", type=float, help="how long clients ask; for figures as the scenario has it")
    parser.add_argument("--rounds", type=int, default=1, help="how often, each with a seed of its own")
    parser.add_argument("--check", type=Path, metavar="HISTORY", help="judge a history again, and run nothing")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
