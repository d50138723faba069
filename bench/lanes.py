"""`python -m bench.lanes`: short rows beside a long one, all in one batch and in lanes of their own, by turns.

A batch is dense: every row is as long as the longest. What that costs a step, what it takes of the memory, and for how
long the short rows' steps stop when the long one joins them.
"""

import argparse
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mlx_pool.up.broker import broker_binary
from worker.engine.decode.decoder import Decoder
from worker.engine.decode.device import limit_memory, total_bytes
from worker.engine.decode.model import Model
from worker.engine.decode.settings import Settings
from worker.engine.load import load_model
from worker.engine.load.preload import exec_with_fast_blas_if_found

from .decoding import read_all, row
from .flags import read_flags
from .models import folder_of
from .rig.machine import machine
from .table import table

_SHORT_TOKENS = 60
_WAYS: Mapping[str, bool] = {"one batch": False, "lanes": True}
_GREEDY = Settings(temperature=0.0)
_MIB = 1 << 20


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    models: list[str]
    short: list[int]
    long: list[int]
    steps: int
    rounds: int


class Taken(msgspec.Struct, frozen=True):
    """What one round took."""

    step_ms: float
    join_ms: float  # the longest pause of the short rows while the long one joins, its reading not counted
    kv_mb: float


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    print(f"{machine(broker_binary())}\n`python -m bench.lanes {shlex.join(argv)}`\n", flush=True)
    limit_memory(total_bytes())
    head = ("model", "short rows", "long row's tokens", "", "ms a step", "of one batch", "joining ms", "state MB")
    with tempfile.TemporaryDirectory() as made:
        rows = [each for model in flags.models for each in _measured(model, folder_of(model, Path(made)), flags)]
    print(table(head, rows))


def _measured(name: str, folder: Path, flags: Flags) -> list[Sequence[str]]:
    model = load_model(folder, progress=lambda _message, _done: None).model
    return [
        (name, str(short), f"{long:,}", *cells)
        for short in flags.short
        for long in flags.long
        for cells in _compared(model, short, long, flags)
    ]


def _compared(model: Model, short: int, long: int, flags: Flags) -> list[Sequence[str]]:
    rounds = [
        {way: _taken(model, short, long, flags.steps, may_part=may_part) for way, may_part in _WAYS.items()}
        for _ in range(flags.rounds)
    ]
    return [_cells(way, rounds) for way in _WAYS]


def _cells(way: str, rounds: Sequence[Mapping[str, Taken]]) -> Sequence[str]:
    ratio = statistics.median(taken[way].step_ms / taken["one batch"].step_ms for taken in rounds)
    step_ms, join_ms, kv_mb = (
        statistics.median(figures)
        for figures in zip(*(msgspec.structs.astuple(taken[way]) for taken in rounds), strict=True)
    )
    return way, f"{step_ms:.1f}", f"{ratio:.2f}", f"{join_ms:,.0f}", f"{kv_mb:,.0f}"


def _taken(model: Model, short: int, long: int, steps: int, *, may_part: bool) -> Taken:
    decoder = Decoder(model, ends=[], slots=short + 1, prefill_step=512, may_guess=False, may_part=may_part)
    decoder.warm_up()
    for key in range(1, short + 1):
        decoder.add(row(key, _SHORT_TOKENS, steps + 5, _GREEDY))
    read_all(decoder)
    decoder.decode()
    decoder.add(row(short + 1, long, steps + 5, _GREEDY))
    read_all(decoder)
    began = time.perf_counter()
    decoder.decode()
    decoder.decode()
    join_s = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(steps):
        decoder.decode()
    step_s = (time.perf_counter() - began) / steps
    kv_mb = decoder.kv_bytes / _MIB
    decoder.drop(set(range(1, short + 2)))
    return Taken(step_s * 1_000, max(0.0, join_s - 2 * step_s) * 1_000, kv_mb)


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.lanes", description="Short rows beside a long one.")
    flag = parser.add_argument
    flag("--models", default="smollm2-135m", help="names, folders, or `tiny` (%(default)s)")
    flag("--short", default="1,4,15", help="rows of a chat's first turn (%(default)s)")
    flag("--long", default="500,1500,3000", help="tokens of the row beside them (%(default)s)")
    flag("--steps", default="12", help="of each round (%(default)s)")
    flag("--rounds", default="3", help="by turns (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    exec_with_fast_blas_if_found(sys.orig_argv)
    main(sys.argv[1:])
