"""Real kinds of models through the whole engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.engine.wire import Generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Engine

FAST = {"MLX_POOL_BLAS": "", "OPENBLAS_NUM_THREADS": "2"}


def test_the_default_model_knows_the_capital_of_france(start_engine: Callable[..., Engine], smollm2: Path) -> None:
    """Template, prefill, greedy decoding and the end of turn, on weights that make sense."""
    engine = start_engine(model=smollm2, env=FAST)
    engine.hear_ready()

    answer = engine.ask(Generate(prompt="What is the capital of France?", temperature=0, max_tokens=24))[0]

    assert (answer.text, answer.done.reason) == ("The capital of France is Paris.", "stop")


def test_a_mixture_of_experts_in_4_bits_is_served(start_engine: Callable[..., Engine], deepseek_moe: Path) -> None:
    """DeepSeek-MoE, from shards, in a batch; what it says is noise, but the same noise alone and together."""
    engine = start_engine(model=deepseek_moe)
    engine.hear_ready()
    requests = [Generate(prompt="안녕", seed=seed, max_tokens=6) for seed in range(3)]

    together = engine.ask(*requests)

    assert [answer.ids for answer in together] == [engine.ask(request)[0].ids for request in requests]
