"""`python -m bench.serving`: tokens a second, time to the first token and gaps, of the pool on real models.

Beside it, in the same run and interleaved round by round: mlx-lm's BatchGenerator with no server, and the pool's engine
over its bare pipe. A ratio is that of a contender's rounds to the raw ones next to them.
"""

import argparse
import contextlib
import itertools
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from mlx_pool.up.broker import broker_binary

from .contenders.contender import Contender, Sampling, Setting
from .contenders.lineup import LINEUP
from .contenders.rounds import Case, Measured, measure, report
from .flags import read_flags
from .models import folder_of
from .rig.machine import machine
from .rig.process import end_cleanly_when_terminated


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    models: list[str]
    tokens: list[int]  # of each stream, by model
    streams: list[int]
    sampling: list[Sampling]
    contenders: list[str]
    rounds: int
    slots: int


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.serving {shlex.join(argv)}`\n", flush=True)
    for model, tokens in zip(flags.models, flags.tokens, strict=True):
        print(f"{report(list(_run(flags, broker, model, tokens)))}\n", flush=True)


def _run(flags: Flags, broker: str, model: str, tokens: int) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        setting = Setting(str(folder_of(model, folder)), flags.slots, broker)
        contenders = {who: _start(running, who, folder, setting) for who in flags.contenders}
        numbers = itertools.count(1)
        for sampling, streams in itertools.product(flags.sampling, flags.streams):
            print(f"… {model}, {sampling}, {streams} streams", file=sys.stderr, flush=True)
            yield from measure(contenders, Case(model, sampling, streams, tokens), flags.rounds, numbers)


def _start(running: contextlib.ExitStack, name: str, folder: Path, setting: Setting) -> Contender:
    place = folder / name.replace(" ", "-")
    place.mkdir()
    return running.enter_context(LINEUP[name](place, setting))


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description="The pool beside the bare library.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--models", default="smollm2-135m,tiny", help="names, folders, or `tiny` (%(default)s)")
    flag("--tokens", default="48,128", help="of each stream, by model (%(default)s)")
    flag("--streams", default="1,4,16,32", help="streams at once (%(default)s)")
    flag("--sampling", default=",".join(get_args(Sampling)), help="(%(default)s)")
    flag("--contenders", default="raw,engine alone,pool", help=f"of {', '.join(LINEUP)} (%(default)s)")
    flag("--rounds", default="3", help="the median of so many counts (%(default)s)")
    flag("--slots", default="32", help="seats in the batch (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
