"""`python -m bench.siege`: what two thousand slow sockets cost those who ask properly, and when each of them is cut.

Proper clients ask on, by turns with nobody else there and besieged. Slow sockets say nothing, or send a head, a body or
a file a byte a second; besides there are bombs. A second case holds as many in TLS handshakes that never end.
"""

import argparse
import contextlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from mlx_pool.up.broker import broker_binary

from .flags import read_flags
from .rig.files import allow_files
from .rig.machine import machine
from .rig.partner import Partner
from .rig.pool import Pool, free_port, is_open, pool
from .rig.process import Process, end_cleanly_when_terminated, python
from .rig.usage import usage_of
from .sockets.orders import Asked, Besieged, Count, Held, Hold, Release
from .table import table

Case = Literal["slow", "handshakes"]
_OTHER_FILES = 512
_SETTLE_S = 12.0  # so that the oldest sockets are being cut while it is measured
_TOKENS = 16
_ENGINE = ("--engine", "scripted", "--slots", "16", "--engine-args", "--step-ms 5")
_MB = 1e6


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    cases: list[Case]
    sockets: int
    bombs: int
    clients: int
    rounds: int
    seconds: float


class Turn(msgspec.Struct, frozen=True):
    """Proper clients for some seconds, and what the gateway used meanwhile."""

    asked: Asked
    cpu_share: float
    resident_bytes: int


class Measured(msgspec.Struct, frozen=True):
    """A case: turns with nobody else there, and besieged."""

    case: Case
    quiet: list[Turn]
    besieged: list[Turn]
    sieges: list[Besieged]


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables for LOG.md on stdout."""
    flags = _read_flags(argv)
    allow_files(flags.sockets + flags.bombs + _OTHER_FILES)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.siege {shlex.join(argv)}`\n", flush=True)
    measured: list[Measured] = []
    for case in flags.cases:
        with tempfile.TemporaryDirectory() as name:
            measured.append(_measure(case, Path(name), broker, flags))
    print(f"{_report_turns(measured)}\n\n{_report_ways(measured)}")


class Front(msgspec.Struct, frozen=True):
    """The gateway that is besieged."""

    port: int
    pid: int
    cert: str = ""  # where it speaks TLS


def _measure(case: Case, folder: Path, broker: str, flags: Flags) -> Measured:
    measured = Measured(case, [], [], [])
    with (
        pool(folder, broker=broker) as running,
        running.worker(*_ENGINE),
        _front(case, running, folder) as front,
        _asking(folder, front, flags) as clients,
    ):
        for number in range(flags.rounds):
            print(f"… {case}, round {number + 1}", file=sys.stderr, flush=True)
            measured.quiet.append(_turn(clients, front, flags.seconds))
            with _slow(folder, front, flags) as slow:
                slow.ask(Hold(flags.sockets), Held)
                time.sleep(_SETTLE_S)
                measured.besieged.append(_turn(clients, front, flags.seconds))
                measured.sieges.append(slow.ask(Release(), Besieged))
    return measured


def _turn(clients: Partner, front: Front, seconds: float) -> Turn:
    began, before = time.monotonic(), usage_of(front.pid)
    asked = clients.ask(Count(seconds), Asked)
    after, took_s = usage_of(front.pid), time.monotonic() - began
    return Turn(asked, (after.cpu_s - before.cpu_s) / took_s, after.resident_bytes)


@contextlib.contextmanager
def _front(case: Case, running: Pool, folder: Path) -> Generator[Front]:
    """The pool's gateway, or one more that speaks TLS."""
    if case == "slow":
        yield Front(running.port, running.pids["gateway"])
        return
    cert, key = _certificate(folder)
    port = free_port()
    argv = python("gateway", "--port", str(port), "--tls-cert", cert, "--tls-key", key)
    with Process("gateway-tls", argv, folder, {"MLX_POOL_REDIS_URL": running.url}) as gateway:
        gateway.wait_until(lambda: is_open(port))
        yield Front(port, gateway.pid, cert)


@contextlib.contextmanager
def _asking(folder: Path, front: Front, flags: Flags) -> Generator[Partner]:
    words = ["--port", str(front.port), "--clients", str(flags.clients), "--tokens", str(_TOKENS)]
    words += ["--trust", front.cert] if front.cert else []
    with Partner(folder, "bench.sockets.asking", *words) as clients:
        clients.ask(Count(1.0), Asked)  # what is loaded at the first request is loaded
        yield clients


def _slow(folder: Path, front: Front, flags: Flags) -> Partner:
    words = ["--port", str(front.port), "--bombs", str(flags.bombs)] + (["--tls"] if front.cert else [])
    return Partner(folder, "bench.sockets.slow", *words)


def _certificate(folder: Path) -> tuple[str, str]:
    """A certificate made for this run, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        sys.exit("openssl, which makes the certificate, is not installed; --cases slow does without")
    cert, key = str(folder / "gateway.crt"), str(folder / "gateway.key")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)
    named = ("-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run([openssl, "req", "-x509", *new, *named, "-out", cert], check=True, capture_output=True)
    return cert, key


def _report_turns(measured: Sequence[Measured]) -> str:
    head = (
        *("proper requests", "a turn", "failed", "first token ms p50", "p99", "highest", "p99 of quiet's"),
        *("gateway % of a core", "gateway MB"),
    )
    rows: list[list[str]] = []
    for one in measured:
        ratio = statistics.median(
            loud.asked.first_ms.p99 / quiet.asked.first_ms.p99
            for loud, quiet in zip(one.besieged, one.quiet, strict=True)
        )
        rows += [
            _turn_row(f"{one.case}: quiet", one.quiet, "–"),
            _turn_row(f"{one.case}: besieged", one.besieged, f"{ratio:.2f}"),
        ]
    return table(head, rows)


def _turn_row(name: str, turns: Sequence[Turn], ratio: str) -> list[str]:
    def middle(values: Sequence[float]) -> float:
        return statistics.median(values)

    first = [turn.asked.first_ms for turn in turns]
    return [
        *(name, f"{middle([turn.asked.requests for turn in turns]):,.0f}"),
        str(sum(turn.asked.failed for turn in turns)),
        *(f"{middle([each.p50 for each in first]):.1f}", f"{middle([each.p99 for each in first]):.1f}"),
        *(f"{max(each.highest for each in first):.1f}", ratio),
        f"{middle([turn.cpu_share for turn in turns]) * 100:.0f}",
        f"{max(turn.resident_bytes for turn in turns) / _MB:.0f}",
    ]


def _report_ways(measured: Sequence[Measured]) -> str:
    head = ("slow sockets", "cut", "told why", "cut after s p50", "p99", "latest")
    rows: list[list[str]] = []
    for one in measured:
        siege = one.sieges[-1]
        for way in siege.ways:
            after = (way.after_s.p50, way.after_s.p99, way.after_s.highest)
            rows.append([way.name, f"{way.cut:,}", f"{way.told:,}", *(f"{value:.1f}" for value in after)])
        rows.append([f"still there: {siege.open:,}", "", "", "", "", f"{siege.oldest_s:.1f}"])
    return table(head, rows)


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.siege", description="Proper clients beside slow sockets.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--cases", default=",".join(get_args(Case)), help="(%(default)s)")
    flag("--sockets", default="2000", help="slow ones, at all times (%(default)s)")
    flag("--bombs", default="20", help="besides, one a second each (%(default)s)")
    flag("--clients", default="4", help="that ask properly (%(default)s)")
    flag("--rounds", default="5", help="quiet and besieged by turns; medians of so many (%(default)s)")
    flag("--seconds", default="15", help="of a turn (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
