"""`python -m bench.sameness`: how often a text is the same alone, in busy batches, and resumed in the middle.

Each text is first given alone and undisturbed; then again among others in batches of changing size, and once more by an
attempt that is told some of its ids and goes on in the middle. Where two part, a float32 pass over prompt and ids alone
says whether both tokens all but tied there.
"""

import argparse
import random
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from .flags import read_flags
from .models import folder_of
from .rig.machine import machine
from .rig.process import end_cleanly_when_terminated
from .table import table
from .truth.asks import KINDS, asks
from .truth.engine import BLAS, Blas, engine
from .truth.judge import Judge
from .truth.spread import Spread, spread
from .truth.trial import WAYS, Finding, Way, try_out


class Flags(msgspec.Struct, frozen=True):
    """What is tried."""

    models: list[str]
    texts: list[int]  # of each kind, by model
    tokens: list[int]  # of each text at most, by model
    blas: list[Blas]
    kinds: list[str]
    slots: int
    seed: int


class Tried(msgspec.Struct, frozen=True):
    """A model on a BLAS."""

    model: str
    note: str
    findings: list[Finding]
    spread: Spread


def main(argv: Sequence[str]) -> None:
    """Try, and print the tables for LOG.md on stdout."""
    flags = _read_flags(argv)
    end_cleanly_when_terminated()
    print(f"{machine(None)}\n`python -m bench.sameness {shlex.join(argv)}`\n", flush=True)
    tried = [one for number in range(len(flags.models)) for one in _try_model(flags, number)]
    print(f"{_report(tried, flags.kinds)}\n\n{_report_spread(tried)}")


def _try_model(flags: Flags, number: int) -> Iterator[Tried]:
    model = flags.models[number]
    with tempfile.TemporaryDirectory() as name:
        folder = folder_of(model, Path(name))
        for blas in flags.blas:
            chance = random.Random(f"{flags.seed} {model}")
            wanted = [
                (kind, ask)
                for kind in flags.kinds
                for ask in asks(kind, flags.texts[number], flags.tokens[number], chance)
            ]
            with engine(folder, blas, slots=flags.slots) as running:
                print(f"… {model}: {running.note}", file=sys.stderr, flush=True)
                findings = try_out(running, Judge(folder), wanted, slots=flags.slots, chance=chance)
                note = running.note
            yield Tried(model, note, findings, spread(folder, blas))


_HEAD = (
    *("kind", "model", "computed on", "texts", "tokens", "equal, batched", "equal, resumed"),
    *("near ties", "worse", "largest gap"),
)


def _report(tried: Sequence[Tried], kinds: Sequence[str]) -> str:
    rows = [
        _row(one, kind, [finding for finding in one.findings if finding.kind == kind])
        for one in tried
        for kind in kinds
    ]
    return table(_HEAD, rows)


def _row(tried: Tried, kind: str, findings: Sequence[Finding]) -> list[str]:
    gaps = [finding.gap for finding in findings if finding.gap is not None]
    worse = sum(finding.is_worse for finding in findings)
    return [
        *(kind, tried.model, _computed_on(tried)),
        str(len(findings) // len(WAYS)),
        f"{sum(finding.tokens for finding in findings):,}",
        *(_equal(findings, way) for way in WAYS),
        *(str(len(gaps) - worse), str(worse), f"{max(gaps):.1e}" if gaps else "–"),
    ]


def _equal(findings: Sequence[Finding], way: Way) -> str:
    of_way = [finding for finding in findings if finding.way == way]
    equal = sum(finding.gap is None for finding in of_way)
    return f"{equal / max(1, len(of_way)):.1%}"


def _report_spread(tried: Sequence[Tried]) -> str:
    head = ("logits differ at most by", "computed on", "in a batch", "read, not decoded", "largest logit")
    rows = [
        [
            *(one.model, _computed_on(one)),
            *(f"{value:.1e}" for value in (one.spread.batched, one.spread.resumed)),
            f"{one.spread.largest:.0f}",
        ]
        for one in tried
    ]
    return table(head, rows)


def _computed_on(tried: Tried) -> str:
    """The engine's note without its advice."""
    return tried.note.partition(":")[0]


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.sameness", description="Is a text the same, however it ran?")
    flag = parser.add_argument
    flag("--models", default="smollm2-135m,tiny", help="names, folders, or `tiny` (%(default)s)")
    flag("--texts", default="12,200", help="of each kind, by model (%(default)s)")
    flag("--tokens", default="40,96", help="of each text at most, by model (%(default)s)")
    flag("--blas", default=",".join(BLAS), help="what to compute on; only Linux without a GPU has both (%(default)s)")
    flag("--kinds", default=",".join(KINDS), help="(%(default)s)")
    flag("--slots", default="16", help="the largest batch (%(default)s)")
    flag("--seed", default="1", help="the same again (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
