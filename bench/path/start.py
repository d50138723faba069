"""How long the operator's command takes to show its help: imports are most of it, so it is watched."""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.rig.process import ROOT, environment, python

RUNS = 15


def help_ms() -> float:
    """Median of `mlx-pool --help`."""
    script = Path(sys.executable).with_name("mlx-pool")
    return _median_ms([str(script), "--help"] if script.exists() else python("mlx_pool", "--help"))


def interpreter_ms() -> float:
    """Median of an interpreter that does nothing: the floor."""
    return _median_ms([sys.executable, "-c", "pass"])


def _median_ms(argv: Sequence[str]) -> float:
    return statistics.median(_run_ms(argv) for _ in range(RUNS))


def _run_ms(argv: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1_000
