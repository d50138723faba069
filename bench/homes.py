"""`python -m bench.homes`: what it is worth that each job goes where its prompt was read before, on real processes.

A broker, a gateway, and workers of unlike speed with the scripted engine, asked over HTTP. Each part is a promise of
placement: chats find their homes, nobody's flood or bulk work slows a chat, a home that is gone is not waited for long,
and looking costs the broker little.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from mlx_pool.up.broker import broker_binary

from .flags import read_flags
from .replay import chats, scripts, stopped
from .replay.besides import Beside, measure
from .replay.bulk import bulk_work
from .replay.greedy import greedy_tenant
from .rig.machine import machine
from .rig.process import end_cleanly_when_terminated

Part = Literal["chats", "polite", "bulk", "stopped", "scripts"]


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    parts: list[Part]
    load: float
    quiet_load: float
    pace: float
    seeds: list[int]
    seconds: float
    warm_s: float
    greedy: int
    bulk: int
    rounds: int
    chats: int
    calls: int


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables for LOG.md on stdout."""
    flags = _read_flags(argv)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.homes {shlex.join(argv)}`", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for part in flags.parts:
            print(f"\n{part}\n\n{_PARTS[part](Path(name), broker, flags)}", flush=True)


def _chats(folder: Path, broker: str, flags: Flags) -> str:
    how = {"pace": flags.pace, "seconds": flags.seconds, "warm_s": flags.warm_s}
    return chats.measure(folder, broker, load=flags.load / 100, seeds=flags.seeds, **how)


def _polite(folder: Path, broker: str, flags: Flags) -> str:
    return measure(folder, broker, _beside(flags), "greedy", greedy_tenant(flags.greedy))


def _bulk(folder: Path, broker: str, flags: Flags) -> str:
    return measure(folder, broker, _beside(flags), "bulk", bulk_work(flags.bulk))


def _stopped(folder: Path, broker: str, flags: Flags) -> str:
    return stopped.measure(folder, broker, rounds=flags.rounds, chats=flags.chats)


def _scripts(folder: Path, broker: str, flags: Flags) -> str:
    return scripts.measure(folder, broker, calls=flags.calls)


_PARTS: Mapping[Part, Callable[[Path, str, Flags], str]] = {
    "chats": _chats,
    "polite": _polite,
    "bulk": _bulk,
    "stopped": _stopped,
    "scripts": _scripts,
}


def _beside(flags: Flags) -> Beside:
    return Beside(
        load=flags.quiet_load / 100, pace=flags.pace, seeds=flags.seeds, seconds=flags.seconds, warm_s=flags.warm_s
    )


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.homes", description="Jobs where their prompts lie.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--parts", default=",".join(get_args(Part)), help="(%(default)s)")
    flag("--load", default="100", help="of `chats`, in %% of what first come, first served can do (%(default)s)")
    flag("--quiet-load", default="40", help="of `polite` and `bulk`, likewise (%(default)s)")
    flag("--pace", default="4", help="workers and people are so many times as fast as drawn (%(default)s)")
    flag("--seeds", default="1,2,3", help="of the talks; a run each (%(default)s)")
    flag("--seconds", default="120", help="in which turns are asked (%(default)s)")
    flag("--warm-s", default="20", help="of them not judged (%(default)s)")
    flag("--greedy", default="200", help="jobs that the greedy tenant keeps asked for (%(default)s)")
    flag("--bulk", default="10000", help="jobs of the class `lo` that wait (%(default)s)")
    flag("--rounds", default="5", help="of `stopped`, for each signal (%(default)s)")
    flag("--chats", default="9", help="of `stopped`, on three workers (%(default)s)")
    flag("--calls", default="500", help="of `scripts`, for each figure (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
