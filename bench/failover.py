"""`python -m bench.failover`: from a fault to the next token at the client, for each fault.

A stream runs; the part that carries it is killed, aborted or stopped; the clock runs until the client has the next
token. The engine is the scripted one, so prefill costs nothing: what is measured is the pool. With `--model` it is a
real one, which has to read prompt and answer again; how much of the time that takes is told beside.
"""

import argparse
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mlx_pool.up.broker import broker_binary

from .faults.cases import CASES, Case
from .faults.crowd import Crowd
from .faults.pool import Pool, Shape, pool
from .faults.stream import Stream
from .flags import read_flags
from .rig.machine import machine
from .rig.process import end_cleanly_when_terminated
from .table import table

_CROWD_TOKENS = 60
_TOKENS = 8_000  # more than any round lasts
_SENTENCE = "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. "
_SENTENCES = 25  # some 400 tokens of history for a real model


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    cases: list[int]
    rounds: int
    workers: int
    slots: int
    step_ms: float
    model: str


class Took(msgspec.Struct, frozen=True):
    """From a fault to the next token, in seconds, and how much of that the next attempt read what was there already."""

    whole_s: float
    reading_s: float


class Measured(msgspec.Struct, frozen=True):
    """A case's times."""

    name: str
    took: list[Took]


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.failover {shlex.join(argv)}`\n", flush=True)
    shape = Shape(flags.workers, flags.slots, flags.step_ms, flags.model)
    cases = [list(CASES.values())[number - 1] for number in flags.cases]
    with tempfile.TemporaryDirectory() as name, pool(Path(name), broker, shape) as running:
        measured = [_measure(running, case, flags) for case in cases]
    print(_report(measured))


def _measure(running: Pool, case: Case, flags: Flags) -> Measured:
    history = _SENTENCE * _SENTENCES if flags.model else ""
    with Crowd(running, case.waiting, _CROWD_TOKENS):
        took = [_once(running, case, f"{history}Go on, {case.name}, {number}.") for number in range(flags.rounds)]
    middle, _, worst = _spread([one.whole_s for one in took])
    print(f"… {case.name}: {middle:.2f} s, worst {worst:.2f} s", file=sys.stderr, flush=True)
    return Measured(case.name, took)


def _once(running: Pool, case: Case, prompt: str) -> Took:
    # `hi`: it need not wait its turn among the crowd before it can be struck.
    body = {"prompt": prompt, "max_tokens": _TOKENS, "min_tokens": _TOKENS, "class": "hi"}
    with Stream(list(running.ports.values()), body) as stream:
        tokens = 0

        def is_running(mark: object) -> bool:
            nonlocal tokens
            tokens += getattr(mark, "status", "") == "token"
            return tokens >= case.tokens

        stream.await_mark(is_running)
        struck = case.strike(running, stream)
        ended = stream.await_mark(lambda mark: mark.at_s > struck.at_s and struck.ends(mark))
        began_s = stream.began_s(ended.attempt)
    struck.mend()
    return Took(ended.at_s - struck.at_s, ended.at_s - began_s if began_s > struck.at_s else 0.0)


def _report(measured: Sequence[Measured]) -> str:
    head = ("fault", "times", "median s", "p90 s", "worst s", "reading again, median s")
    return table(head, [_row(one) for one in measured])


def _row(one: Measured) -> tuple[str, ...]:
    whole, reading = [took.whole_s for took in one.took], [took.reading_s for took in one.took]
    return (one.name, str(len(one.took)), *map(_seconds, (*_spread(whole), statistics.median(reading))))


def _spread(took_s: Sequence[float]) -> tuple[float, float, float]:
    ranked = sorted(took_s)
    return statistics.median(ranked), ranked[min(len(ranked) - 1, int(len(ranked) * 0.9))], ranked[-1]


def _seconds(value: float) -> str:
    return f"{value:.2f}"


def _read_flags(argv: Sequence[str]) -> Flags:
    numbered = "; ".join(f"{number} {name}" for number, name in enumerate(CASES, 1))
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description="From a fault to the next token.")
    parser.add_argument("--broker", default="", help="the server's program (default: the embedded Valkey)")
    parser.add_argument("--cases", default=",".join(str(number + 1) for number in range(len(CASES))), help=numbered)
    parser.add_argument("--rounds", default="50", help="how often each fault")
    parser.add_argument("--workers", default="3", help="how many; two or more, since another has to go on")
    parser.add_argument("--slots", default="8", help="of each worker")
    parser.add_argument("--step-ms", default="10", help="the engine's pace")
    parser.add_argument("--model", default="", help="a model of the catalogue (default: the scripted engine)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
