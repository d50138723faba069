"""Rows share steps and nothing else."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from worker.engine.wire import Cancel, Done, Generate, Prefill, Stats, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.engine.wire import AnyReply

    from .conftest import Engine

# Lengths, settings and ends of every kind, so that rows join and leave at different steps.
MIXED = [
    Generate(prompt="안녕", temperature=0, max_tokens=40),
    Generate(prompt="go on " * 100, temperature=0, max_tokens=7),
    Generate(prompt="hello " * 40, seed=3, max_tokens=25),
    Generate(tokens=[9], seed=4, max_tokens=3, top_k=0, top_p=1.0),
    Generate(prompt="x", seed=5, max_tokens=31, repeat_last_n=1_000, frequency_penalty=0.5, top_k=500),
    Generate(prompt="y", temperature=0, max_tokens=1, repeat_penalty=1.0),
    Generate(prompt="z " * 90, seed=6, max_tokens=18, top_k=0, top_p=0.9),
]


def test_a_row_is_the_same_alone_and_in_any_batch(engine: Engine) -> None:
    """Token for token: neither padding nor neighbours nor who came when changes what a row says."""
    alone = [engine.ask(request)[0] for request in MIXED]

    together = engine.ask(*MIXED, *reversed(MIXED), *MIXED)

    wanted = [answer.ids for answer in alone]
    assert [answer.ids for answer in together] == [*wanted, *reversed(wanted), *wanted]
    assert [answer.text for answer in together[: len(MIXED)]] == [answer.text for answer in alone]


def test_usage_counts_every_id_that_was_told(engine: Engine) -> None:
    """Each id stands in exactly one reply, those without text and the one that ends the turn included."""
    request = Generate(prompt="x", seed=11, logit_bias={"2": 25.0}, max_tokens=30)

    for answer in engine.ask(*[request] * 3, *MIXED):
        assert answer.done.usage.completion_tokens == len(answer.ids)
    assert engine.ask(request)[0].ids[-1] == 2


def test_a_long_prompt_tells_how_far_it_is(engine: Engine) -> None:
    """Who watches for progress sees it in a prefill of many chunks, up to the last id but one."""
    answer = engine.ask(Generate(tokens=[5, 6, 7] * 400, max_tokens=1))[0]

    assert answer.started
    assert answer.started.prompt_tokens == 1_200
    assert [prefill.done for prefill in answer.prefills] == sorted({prefill.done for prefill in answer.prefills})
    assert {prefill.total for prefill in answer.prefills} == {1_200}
    assert answer.prefills[-1].done == 1_200


def test_streams_go_on_while_a_long_prompt_is_read(engine: Engine) -> None:
    """A prefill is cut into chunks: between any two of them everybody gets a token."""
    engine.write(Generate(id="stream", prompt="x", temperature=0, max_tokens=1_000))
    engine.hear_until(lambda reply: isinstance(reply, Token))

    engine.write(Generate(id="long", tokens=[5] * 2_000, max_tokens=1))
    replies = engine.hear_until(lambda reply: isinstance(reply, Done) and reply.id == "long")

    chunks = [place for place, reply in enumerate(replies) if isinstance(reply, Prefill)]
    assert len(chunks) >= 2_000 / 64
    for before, after in itertools.pairwise(chunks):
        assert any(isinstance(reply, Token) and reply.id == "stream" for reply in replies[before:after])
    engine.write(Cancel(id="stream"))


def test_a_short_prompt_passes_a_long_one(engine: Engine) -> None:
    """It waits for a chunk of the long one, not for all of it."""
    engine.write(Generate(id="whale", tokens=[9] * 2_000, max_tokens=1), Generate(id="fish", prompt="x", max_tokens=2))

    replies = engine.hear_until(lambda reply: isinstance(reply, Done) and reply.id == "whale")

    assert [reply.id for reply in replies if isinstance(reply, Done)] == ["fish", "whale"]


def test_a_cancelled_generation_falls_silent_and_frees_its_slot(start_engine: Callable[..., Engine]) -> None:
    """Whoever waits for the slot has it with the next step, and no word comes of the cancelled one."""
    engine = start_engine("--slots", "1")
    engine.hear_ready()
    engine.write(Generate(id="first", prompt="x", seed=1, max_tokens=5_000))
    engine.hear_until(lambda reply: isinstance(reply, Token))

    engine.write(Generate(id="second", prompt="x", seed=1, max_tokens=5), Cancel(id="first"), Cancel(id="nobody"))
    replies = engine.hear_until(lambda reply: isinstance(reply, Done))

    began = next(place for place, reply in enumerate(replies) if getattr(reply, "id", "") == "second")
    assert all(getattr(reply, "id", "") != "first" for reply in replies[began:])
    assert engine.ask(Generate(prompt="x", max_tokens=1))[0].done.reason == "length"


def test_a_waiting_and_a_half_read_generation_can_be_cancelled(start_engine: Callable[..., Engine]) -> None:
    """A slot is free again wherever its request was."""
    engine = start_engine("--slots", "1")
    engine.hear_ready()
    engine.write(Generate(id="reading", tokens=[5] * 8_000), Generate(id="waiting", prompt="x"))
    engine.hear_until(lambda reply: isinstance(reply, Prefill))

    engine.write(Cancel(id="waiting"), Cancel(id="reading"))

    assert engine.ask(Generate(prompt="x", max_tokens=2))[0].done.usage.completion_tokens == 2


def test_stats_tell_what_is_going_on(engine: Engine) -> None:
    """Once a second, idle or not: slots, what they hold, how fast it goes."""
    engine.write(Generate(id="busy", prompt="x", seed=1, max_tokens=2_000))

    def is_busy(reply: AnyReply) -> bool:
        return isinstance(reply, Stats) and reply.busy == 1 and reply.tokens_per_second > 0

    busy = engine.hear_until(is_busy)[-1]
    engine.write(Cancel(id="busy"))
    idle = engine.hear_until(lambda reply: isinstance(reply, Stats) and reply.busy == 0)[-1]

    assert isinstance(busy, Stats)
    assert isinstance(idle, Stats)
    assert busy.kv_bytes > 0 == idle.kv_bytes
    assert busy.memory_bytes > 1_000_000
    assert idle.steps > 0
