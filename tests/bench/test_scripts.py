"""The measurements themselves still run; what they measure is not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RELAYED = (
    *("--rounds", "1", "--seconds", "0.2", "--parts", "throughput,lag", "--streams", "2"),
    *("--step-ms", "2", "--lag-streams", "1", "--lag-seconds", "0.2"),
)


def run(module: str, *flags: str) -> str:
    done = subprocess.run([sys.executable, "-m", module, *flags], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_overhead_measures_every_way_to_the_client() -> None:
    """Each of the four ways and three ends gives a row, with whole streams."""
    told = run("bench.overhead", *RELAYED)

    for row in ("pool, NDJSON", "pool, SSE", "no gateway", "Starlette alone", "the engine's pipe", "the channel"):
        assert f"| {row}" in told


@pytest.mark.long
def test_serving_measures_the_pool_beside_the_bare_library() -> None:
    """On the small random model, so that it takes seconds."""
    told = run("bench.serving", "--rounds", "1", "--models", "tiny", "--tokens", "8", "--streams", "2")

    for row in ("raw", "engine alone", "pool"):
        assert f"| {row} " in told


def test_a_wrong_flag_is_a_line_and_exit_code_2() -> None:
    """Nothing is started for a measurement that was not understood."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.serving", "--rounds", "x"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "rounds" in done.stderr
