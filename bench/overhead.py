"""`python -m bench.overhead`: what the pool costs around an engine that costs nothing.

Throughput through broker, agent and gateway, by tokens, events and CPU time of every process; the delay that each
part adds to a token; what all of it uses at rest; the start of `mlx-pool`. Beside it, in the same run: Starlette alone
with the same bytes, and the broker read without a gateway.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from mlx_pool.up.broker import broker_binary

from .flags import read_flags
from .path import lag, rest, start, throughput
from .path.throughput import Case, Measured, Via
from .rig.load_generator import LoadGenerator
from .rig.machine import machine
from .rig.pool import Pool, pool
from .rig.process import end_cleanly_when_terminated
from .rig.usage import usage_of

Part = Literal["rest", "throughput", "lag", "start"]
_MB = 1e6


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    parts: list[Part]
    streams: list[int]
    step_ms: list[float]
    seconds: float
    lag_streams: list[int]
    lag_step_ms: float
    lag_seconds: float
    rounds: int


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables for LOG.md on stdout."""
    flags = _read_flags(argv)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.overhead {shlex.join(argv)}`\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with pool(folder, broker=broker) as running, LoadGenerator(folder) as load:
            for told in _measure(running, load, folder, flags):
                print(f"{told}\n", flush=True)
    if "start" in flags.parts:
        print(f"`mlx-pool --help`: {start.help_ms():.0f} ms; an interpreter alone: {start.interpreter_ms():.0f} ms")


def _measure(running: Pool, load: LoadGenerator, folder: Path, flags: Flags) -> Iterator[str]:
    if "rest" in flags.parts:
        yield rest.report(rest.measure(running, seconds=flags.seconds))
    if "throughput" in flags.parts:
        yield throughput.report(list(_throughput(running, load, folder, flags)))
    if "lag" in flags.parts:
        pace = lag.Pace(flags.lag_step_ms, flags.lag_seconds)
        yield lag.report(lag.measure(running, load, flags.lag_streams, pace, rounds=flags.rounds))
    yield f"the gateway's memory at its highest: {usage_of(running.pids['gateway']).peak_bytes / _MB:.0f} MB"


def _throughput(running: Pool, load: LoadGenerator, folder: Path, flags: Flags) -> Iterator[Measured]:
    for step_ms in flags.step_ms:
        cases = [Case(via, streams, step_ms) for streams in flags.streams for via in get_args(Via)]
        print(f"… {step_ms:g} ms a step, {len(cases)} cases", file=sys.stderr, flush=True)
        yield from throughput.measure(running, load, folder, cases, rounds=flags.rounds, seconds=flags.seconds)


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description="The pool around a free engine.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--parts", default=",".join(get_args(Part)), help="(%(default)s)")
    flag("--streams", default="1,8,32", help="streams at once (%(default)s)")
    flag("--step-ms", default="0,1,20", help="the engine's paces; 0 is as fast as it goes (%(default)s)")
    flag("--seconds", default="3", help="of each round of each case (%(default)s)")
    flag("--lag-streams", default="1,32", help="streams at once, for the delay (%(default)s)")
    flag("--lag-step-ms", default="20", help="the engine's pace, for the delay (%(default)s)")
    flag("--lag-seconds", default="8", help="of each round, for the delay (%(default)s)")
    flag("--rounds", default="3", help="the median of so many counts (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
