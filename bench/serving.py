"""`python -m bench.serving`: tokens a second, time to the first token and gaps, of the pool on real models.

Beside it, in the same run and interleaved round by round: mlx-lm's BatchGenerator with no server, the pool's engine
over its bare pipe, and the servers that a Mac's owner would run instead. A ratio is taken between rounds side by side.
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

from .contenders.contender import Contender, Sampling, Setting, Unavailable
from .contenders.lineup import LINEUP, PEERS, RAW, USUAL
from .contenders.report import beside_peers, report
from .contenders.rounds import Case, Measured, measure
from .flags import read_flags
from .models import folder_of, peers_folder_of
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
        measured = list(_run(flags, broker, model, tokens))
        for told in filter(None, (report(measured, RAW, PEERS), beside_peers(measured, "pool", PEERS))):
            print(f"{told}\n", flush=True)


def _run(flags: Flags, broker: str, model: str, tokens: int) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        contenders = _start_all(running, flags.contenders, folder, _setting(flags, broker, model, folder))
        numbers = itertools.count(1)
        for sampling, streams in itertools.product(flags.sampling, flags.streams):
            print(f"… {model}, {sampling}, {streams} streams", file=sys.stderr, flush=True)
            yield from measure(contenders, Case(model, sampling, streams, tokens), flags.rounds, numbers)


def _setting(flags: Flags, broker: str, model: str, folder: Path) -> Setting:
    own = folder_of(model, folder)
    peers = peers_folder_of(own, folder / "peers-model") if PEERS.keys() & set(flags.contenders) else own
    return Setting(str(own), str(peers), flags.slots, broker)


def _start_all(
    running: contextlib.ExitStack, names: Sequence[str], folder: Path, setting: Setting
) -> dict[str, Contender]:
    """Start them, and say on stdout who can't run here, and why."""
    contenders: dict[str, Contender] = {}
    for name in names:
        place = folder / name.replace(" ", "-")
        place.mkdir()
        try:
            contenders[name] = running.enter_context(LINEUP[name](place, setting))
        except Unavailable as error:
            print(f"{name}: not available: {error}\n", flush=True)
    return contenders


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(
        prog="python -m bench.serving", description="The pool beside the bare library, and beside other servers."
    )
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--models", default="smollm2-135m,tiny", help="names, folders, or `tiny` (%(default)s)")
    flag("--tokens", default="48,64", help="of each stream, by model (%(default)s)")
    flag("--streams", default="1,4,16,32", help="streams at once (%(default)s)")
    flag("--sampling", default=",".join(get_args(Sampling)), help="(%(default)s)")
    flag("--contenders", default=",".join(USUAL), help=f"of {', '.join(LINEUP)} (%(default)s)")
    flag("--rounds", default="3", help="the median of so many counts (%(default)s)")
    flag("--slots", default="32", help="seats in the batch (%(default)s)")
    flags = read_flags(parser, Flags, argv)
    if unknown := set(flags.contenders) - LINEUP.keys():
        parser.error(f"unknown contenders: {', '.join(unknown)}")
    return flags


if __name__ == "__main__":
    main(sys.argv[1:])
