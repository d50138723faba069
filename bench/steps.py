"""`python -m bench.steps`: a decode step with the next one computed ahead, and in lockstep, in one process by turns.

No row guesses. `default` is what `/chat` does when nothing is said. Beside the time stand the pages that the system had
to give the process in a step: memory that was given back and taken anew.
"""

import argparse
import resource
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

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

_PROMPT_TOKENS = 30
_WAYS: Mapping[str, bool] = {"lockstep": False, "ahead": True}
_SAMPLINGS = {
    "greedy": Settings(temperature=0.0),
    "default": Settings(temperature=0.7, top_k=40, top_p=0.95, repeat_penalty=1.1),
}


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    models: list[str]
    sampling: list[Literal["greedy", "default"]]
    rows: list[int]
    steps: int
    rounds: int


class Taken(msgspec.Struct, frozen=True):
    """What a step took in the mean."""

    ms: float
    faults: float


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    print(f"{machine(broker_binary())}\n`python -m bench.steps {shlex.join(argv)}`\n", flush=True)
    limit_memory(total_bytes())
    head = ("model", "sampling", "rows", "lockstep ms", "ahead ms", "ratio", "page faults a step, ahead")
    with tempfile.TemporaryDirectory() as made:
        rows = [each for model in flags.models for each in _measured(model, folder_of(model, Path(made)), flags)]
    print(table(head, rows))


def _measured(name: str, folder: Path, flags: Flags) -> list[Sequence[str]]:
    model = load_model(folder, progress=lambda _message, _done: None).model
    return [
        (name, sampling, str(rows), *_compared(model, _SAMPLINGS[sampling], rows, flags))
        for sampling in flags.sampling
        for rows in flags.rows
    ]


def _compared(model: Model, settings: Settings, rows: int, flags: Flags) -> Sequence[str]:
    rounds = [
        {way: _taken(model, settings, rows, flags.steps, is_ahead=is_ahead) for way, is_ahead in _WAYS.items()}
        for _ in range(flags.rounds)
    ]
    lockstep, ahead = (statistics.median(taken[way].ms for taken in rounds) for way in _WAYS)
    ratio = statistics.median(taken["ahead"].ms / taken["lockstep"].ms for taken in rounds)
    faults = statistics.median(taken["ahead"].faults for taken in rounds)
    return f"{lockstep:.2f}", f"{ahead:.2f}", f"{ratio:.2f}", f"{faults:,.0f}"


def _taken(model: Model, settings: Settings, rows: int, steps: int, *, is_ahead: bool) -> Taken:
    decoder = Decoder(model, ends=[], slots=rows, prefill_step=512, is_ahead=is_ahead, may_guess=False)
    decoder.warm_up()
    for key in range(1, rows + 1):
        decoder.add(row(key, _PROMPT_TOKENS, steps + 3, settings))
    read_all(decoder)
    decoder.decode()
    faults, began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
    for _ in range(steps):
        decoder.decode()
    took_s = time.perf_counter() - began
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    decoder.drop(set(range(1, rows + 1)))
    return Taken(took_s / steps * 1_000, faults / steps)


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description="A decode step, ahead and in lockstep.")
    flag = parser.add_argument
    flag("--models", default="smollm2-135m,tiny", help="names, folders, or `tiny` (%(default)s)")
    flag("--sampling", default="greedy,default", help="or one of them (%(default)s)")
    flag("--rows", default="1,4,16,32", help="that decode together (%(default)s)")
    flag("--steps", default="32", help="of each round (%(default)s)")
    flag("--rounds", default="4", help="by turns (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    exec_with_fast_blas_if_found(sys.orig_argv)
    main(sys.argv[1:])
