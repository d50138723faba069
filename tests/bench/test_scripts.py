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
    """On the small random model, so that it takes seconds; a peer that would have to be installed is left out."""
    contenders = ("raw", "engine alone", "pool", "mlx_lm.server")
    quick = ("--rounds", "1", "--models", "tiny", "--tokens", "8", "--streams", "2")
    told = run("bench.serving", *quick, "--contenders", ",".join(contenders))

    for row in (*contenders, "pool, of the better peer's"):
        assert f"| {row} " in told


@pytest.mark.long
def test_sameness_compares_every_kind_of_text() -> None:
    """On the small random model, and on whatever BLAS there is."""
    told = run("bench.sameness", "--models", "tiny", "--texts", "2", "--tokens", "8", "--blas", "reference")

    for row in ("greedy", "sampled", "stop strings", "penalties", "few words", "tiny"):
        assert f"| {row} " in told


@pytest.mark.long
def test_memory_counts_what_an_engine_holds() -> None:
    """A reading after the warm-up and after each part, and a slope for every count."""
    told = run("bench.memory", "--warm-up", "20", "--requests", "60", "--every", "20", "--cancelled", "30")

    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert [row.split()[1] for row in rows[2:]] == ["0", "20", "40", "60", "slope"]


@pytest.mark.long
def test_streams_are_fed_and_read() -> None:
    """By each way none is refused or cut, and no token is missing."""
    told = run("bench.streams", "--streams", "20", "--via", "sse,ndjson,openai", "--every-ms", "100", "--seconds", "1")

    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("| 20 ")]
    assert [row[1] for row in rows] == ["sse", "ndjson", "openai"]
    assert [row[-3:] for row in rows] == [["0", "0", "0"]] * 3


@pytest.mark.long
def test_a_siege_tells_of_both_sides() -> None:
    """Who asks properly is served meanwhile; every way to be slow has its row."""
    told = run("bench.siege", "--sockets", "20", "--bombs", "7", "--rounds", "1", "--seconds", "1")

    for row in ("slow: quiet", "slow: besieged", "handshakes: besieged", "a body, a byte a second", "deep JSON"):
        assert f"| {row} " in told


@pytest.mark.parametrize("wrong", [("--rounds", "x"), ("--contenders", "nobody")])
def test_a_wrong_flag_is_a_line_and_exit_code_2(wrong: tuple[str, str]) -> None:
    """Nothing is started for a measurement that was not understood."""
    command = [sys.executable, "-m", "bench.serving", *wrong]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert wrong[0].removeprefix("--") in done.stderr
