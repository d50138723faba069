import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_pool.bench.command import check_order
from mlx_pool.bench.figures import as_lines, figures_of, histogram, spread
from mlx_pool.bench.load import Order, body_of
from mlx_pool.bench.sample import Sample
from mlx_pool.failure import Unusable
from tests.pool import StartPool
from tests.ports import FreePort

from .conftest import RunCommand

ORDER = Order(streams=2, requests=4, prompt_tokens=100, max_tokens=8)
SAMPLE = Sample(first_ms=100.0, gaps_ms=[10.0, 20.0], total_ms=130.0, tokens=4, prompt_tokens=50, cached_tokens=25)


def test_a_runs_figures_are_those_of_what_was_answered() -> None:
    """What failed is counted by its reason, and is in no time and no rate."""
    figures = figures_of([SAMPLE, SAMPLE, Sample(failed="queue_full", total_ms=1.0)], seconds=2.0)

    assert (figures.requests, figures.done, figures.failed) == (3, 2, {"queue_full": 1})
    assert (figures.tokens, figures.tokens_per_second) == (8, 4.0)
    assert figures.stream_tokens_per_second == 100.0  # three tokens in the 30 ms behind the first
    assert figures.first_ms is not None
    assert figures.first_ms.most == 100.0


def test_nothing_answered_is_no_division_by_zero() -> None:
    """A run in which everything failed has figures, too."""
    figures = figures_of([Sample(failed="no_worker")], seconds=0.0)

    assert (figures.done, figures.tokens_per_second, figures.first_ms) == (0, 0.0, None)
    assert "failed: 1 no_worker" in as_lines(figures)


def test_a_rank_is_a_time_that_was_measured() -> None:
    """No figure is made up between two of them."""
    found = spread([4.0, 1.0, 3.0, 2.0])

    assert found is not None
    assert (found.p50, found.p90, found.most) == (2.0, 4.0, 4.0)


@given(st.lists(st.floats(min_value=0, max_value=1e7, allow_nan=False), max_size=50))
def test_a_histogram_counts_each_time_once(values: list[float]) -> None:
    """Every value lies in one bucket, below its bound; there are few enough to see them all."""
    buckets = histogram(values)

    assert len(buckets) <= 13
    assert sum(bucket.count for bucket in buckets) == (len(values) if max(values, default=0) > 0 else 0)
    assert all(math.isfinite(bucket.below_ms) for bucket in buckets)
    if buckets:
        assert buckets[-1].below_ms > max(values)


def test_prompts_are_unlike_each_other_unless_asked_for() -> None:
    """A prompt cache must not make a pool look quicker than it is; with --same-prompt that is what is measured."""
    same = Order(streams=1, requests=1, prompt_tokens=9, max_tokens=1, is_same_prompt=True)

    apart = {body_of(ORDER, number, "n") for number in range(3)}
    alike = {body_of(same, number, "n") for number in range(3)}

    assert (len(apart), len(alike)) == (3, 1)
    assert 400 <= len(json.loads(body_of(ORDER, 0, "n"))["prompt"]) < 420


def test_a_number_that_can_not_be_meant_is_refused_by_its_flag() -> None:
    """No load is begun with no streams."""
    with pytest.raises(Unusable, match="--streams 0"):
        check_order(Order(streams=0, requests=4, prompt_tokens=1, max_tokens=1))


async def test_a_pool_is_measured_over_http(start_pool: StartPool, run_command: RunCommand) -> None:
    """Every request is answered, at its length, and the figures come as JSON for programs."""
    flags = ("--streams", "2", "--requests", "6", "--max-tokens", "5", "--json")

    async with start_pool(workers=1) as pool:
        ended = await run_command("bench", "--url", pool.url, *flags)

    told = json.loads(ended.out)
    assert (told["done"], told["tokens"], told["failed"]) == (6, 30, {})
    assert told["first_ms"]["p50"] > 0
    assert ended.code == 0


async def test_no_pool_is_one_line_that_says_what_to_do(run_command: RunCommand, free_port: FreePort) -> None:
    """Nobody reads a table of refused connections."""
    ended = await run_command("bench", "--url", f"http://127.0.0.1:{free_port()}", "--requests", "2")

    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "mlx-pool up" in ended.err


async def test_a_gateway_that_refuses_is_told_by_its_reason(start_pool: StartPool, run_command: RunCommand) -> None:
    """It runs: to start one would not help."""
    async with start_pool(workers=1) as pool:
        ended = await run_command("bench", "--url", pool.url, "--requests", "2", "--model", "nobodys")

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "model_not_found" in ended.err
    assert "mlx-pool up" not in ended.err


async def test_an_address_that_is_none_is_one_line(run_command: RunCommand) -> None:
    """Whatever the number of streams that would have asked there."""
    ended = await run_command("bench", "--url", "nowhere", "--requests", "2")

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "http://HOST:PORT" in ended.err
