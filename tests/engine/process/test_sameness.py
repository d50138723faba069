"""The same text, alone, in busy batches and resumed; and a judge that tells a near tie from a seam."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from bench.truth.asks import KINDS, asks
from bench.truth.engine import engine as truth_engine
from bench.truth.judge import NEAR_TIE, Judge
from bench.truth.trial import Finding, try_out
from worker.engine.wire import Generate, Resume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Engine

SLOTS = 16
CUT = 12
# What goes wrong at a resume, and how it then goes on after the ids that it was told.
SEAMS: dict[str, Callable[[Generate, list[int]], Generate]] = {
    "an id is dropped": lambda ask, ids: replace(ask, resume=Resume(ids[:-1])),
    "an id is doubled": lambda ask, ids: replace(ask, resume=Resume([*ids, ids[-1]])),
    "another id": lambda ask, ids: replace(ask, resume=Resume([*ids[:-1], ids[-1] + 1])),
    "another seed": lambda ask, ids: replace(ask, seed=1, resume=Resume(ids)),
    "no penalties": lambda ask, ids: replace(ask, repeat_penalty=1, frequency_penalty=0, resume=Resume(ids)),
    "penalties with another window": lambda ask, ids: replace(ask, repeat_last_n=2, resume=Resume(ids)),
    "another prompt": lambda ask, ids: replace(ask, prompt=f"{ask.prompt}.", resume=Resume(ids)),
}


@pytest.fixture(scope="module")
def judge(tiny_model: Path) -> Judge:
    """The tiny model's judge."""
    return Judge(tiny_model)


def trial(folder: Path, *, blas: str, count: int, tokens: int) -> list[Finding]:
    """So many asks of each kind on an engine of their own; skips where there is no such BLAS."""
    chance = random.Random(5)
    wanted = [(kind, ask) for kind in KINDS for ask in asks(kind, count, tokens, chance)]
    with truth_engine(folder, "reference" if blas == "reference" else "openblas", slots=SLOTS) as running:
        if blas.lower() not in running.note.lower():
            pytest.skip(f"no {blas} here: {running.note}")
        return try_out(running, Judge(folder), wanted, slots=SLOTS, chance=chance)


@pytest.mark.parametrize("count", [4, pytest.param(80, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_on_the_reference_blas_every_text_is_the_same_to_the_byte(tiny_model: Path, count: int) -> None:
    """Greedy, sampled, with stop strings and with penalties; whoever shares the batch, and wherever it was resumed."""
    findings = trial(tiny_model, blas="reference", count=count, tokens=40)

    assert [finding for finding in findings if finding.gap is not None] == []
    assert len(findings) == 2 * count * len(KINDS)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_on_a_fast_blas_no_text_is_worse_than_a_near_tie(smollm2: Path) -> None:
    """Where two texts part, a float32 pass over prompt and ids alone puts both tokens next to the best."""
    findings = trial(smollm2, blas="openblas", count=4, tokens=24)

    assert [finding for finding in findings if finding.is_worse] == []


@pytest.mark.parametrize("seam", SEAMS.values(), ids=SEAMS.keys())
def test_a_seam_is_no_near_tie(engine: Engine, judge: Judge, seam: Callable[[Generate, list[int]], Generate]) -> None:
    """Whatever is forgotten or changed at a resume, the judge sees it in the first token that it changes."""
    ask = Generate(prompt="tell me", seed=7, max_tokens=40, repeat_penalty=1.5, frequency_penalty=0.5)
    whole = engine.ask(ask)[0].ids

    rest = engine.ask(seam(ask, whole[:CUT]))[0].ids

    assert judge.gap(ask, whole, [*whole[:CUT], *rest]) > 10 * NEAR_TIE


def test_the_model_agrees_with_its_judge(engine: Engine, judge: Judge) -> None:
    """What the engine gave is what the judge would have given: neither batch nor cache nor resume is in between."""
    ask = Generate(prompt="tell me", seed=7, max_tokens=8, frequency_penalty=0.3)
    whole = engine.ask(ask)[0].ids

    assert [judge.gap_at(ask, whole, at) for at in range(len(whole))] == [0] * len(whole)
