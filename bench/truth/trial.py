"""A trial: asks that are answered alone, among others, and by an attempt that goes on in the middle, side by side."""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from worker.engine.wire import Generate, Resume

from .answer import Answer
from .engine import Engine
from .judge import NEAR_TIE, Judge

Way = Literal["batched", "resumed"]
WAYS: tuple[Way, ...] = ("batched", "resumed")

_SHARED = "shared"


class Finding(msgspec.Struct, frozen=True):
    """How an answer compares with the undisturbed one: `gap` is None where they are equal to the byte."""

    kind: str
    way: Way
    tokens: int  # generated for the comparison
    gap: float | None

    @property
    def is_worse(self) -> bool:
        """Whether rounding does not explain the difference."""
        return self.gap is not None and self.gap > NEAR_TIE


class _Run(msgspec.Struct, frozen=True):
    """One more run of an ask; `after` so many pieces of the undisturbed answer."""

    place: int
    way: Way
    after: int
    ask: Generate


def try_out(
    engine: Engine, judge: Judge, asks: Sequence[tuple[str, Generate]], *, slots: int, chance: random.Random
) -> list[Finding]:
    """Answer each ask alone, then all twice in busy batches, once whole and once from a random place on; compare."""
    alone = engine.answer(
        [replace(ask, tenant=f"alone {place}") for place, (_, ask) in enumerate(asks)], itertools.repeat(1)
    )
    runs = list(_runs(asks, alone, chance))
    chance.shuffle(runs)
    answers = engine.answer([run.ask for run in runs], _widths(slots, chance))
    return [
        Finding(asks[run.place][0], run.way, len(answer.ids), _gap(judge, run, alone[run.place], answer))
        for run, answer in zip(runs, answers, strict=True)
    ]


def _runs(asks: Sequence[tuple[str, Generate]], alone: Sequence[Answer], chance: random.Random) -> Iterator[_Run]:
    """Each ask whole, and resumed. As after a worker's death a prompt cache may know its beginning, or nothing."""
    for place, ((_, ask), answer) in enumerate(zip(asks, alone, strict=True)):
        after = chance.randint(0, len(answer.pieces))
        known = [token for piece in answer.pieces[:after] for token in piece.ids]
        yield _Run(place, "batched", 0, replace(ask, tenant=_tenant(f"{place} batched", chance)))
        yield _Run(
            place, "resumed", after, replace(ask, tenant=_tenant(f"{place} resumed", chance), resume=Resume(known))
        )


def _tenant(own: str, chance: random.Random) -> str:
    """Whose part of the prompt cache: everybody's, or one's own, in which there is nothing."""
    return chance.choice((_SHARED, own))


def _widths(slots: int, chance: random.Random) -> Iterator[int]:
    """How busy the engine is: a few asks long the same, then another number from alone to full."""
    while True:
        yield from itertools.repeat(chance.randint(1, slots), chance.randint(1, slots))


def _gap(judge: Judge, run: _Run, alone: Answer, answer: Answer) -> float | None:
    whole = alone.gone_on_with(answer, run.after)
    return None if whole.is_equal(alone) else judge.gap(run.ask, alone.ids, whole.ids)
