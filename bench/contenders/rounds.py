"""Rounds: every contender carries out the same load, one after the other, so that a drifting machine tilts nothing."""

from collections.abc import Iterator, Mapping

import msgspec

from bench.load.orders import Result

from .contender import Contender, Load, Sampling

_WARM_TOKENS = 8


class Case(msgspec.Struct, frozen=True):
    """A model, how it samples, and so many streams of so many tokens."""

    model: str
    sampling: Sampling
    streams: int
    tokens: int


class Measured(msgspec.Struct, frozen=True):
    """A contender in a case, one result a round."""

    case: Case
    name: str
    results: list[Result]


def measure(contenders: Mapping[str, Contender], case: Case, rounds: int, numbers: Iterator[int]) -> list[Measured]:
    """Measure a case. Each round begins with another contender; a short load first warms all of them up."""
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender.measure(Load(case.streams, _WARM_TOKENS, case.sampling, next(numbers)))
    names = list(contenders)
    for number in range(rounds):
        load = Load(case.streams, case.tokens, case.sampling, next(numbers))
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            results[name].append(contenders[name].measure(load))
    return [Measured(case, name, results[name]) for name in names]
