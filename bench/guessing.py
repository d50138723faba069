"""`python -m bench.guessing`: what a lone request gains by guessing at its next tokens, on texts of several kinds.

Two engines, one that may guess and one that may not, are asked the same in turns. Their ids have to be the same, and a
text that is not is told of.
"""

import argparse
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mlx_pool.up.broker import broker_binary
from worker.engine.wire import Done, Generate, Ready, Token

from .flags import read_flags
from .models import folder_of
from .rig.engine import Engine, engine
from .rig.machine import machine
from .rig.process import end_cleanly_when_terminated
from .table import table

_HARBOUR = (
    "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. Boats came in one by one, heavy "
    "with herring, and the price was good."
)
_PROGRAM = """def add(a, b):
  return a + b

def sub(a, b):
  return a - b

def mul(a, b):
  return a * b
"""
ASKS = {
    "prose": Generate(prompt="Tell me a story about a fisherman and the sea.", repeat_penalty=1.1),
    "quoting": Generate(prompt=f"Repeat this text word for word, twice: {_HARBOUR}", repeat_penalty=1.0),
    "code": Generate(
        prompt=f"Correct the indentation of this program and print it again:\n{_PROGRAM}", repeat_penalty=1.0
    ),
}
_HEATS = {"greedy": 0.0, "default": 0.7}


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    models: list[str]
    tokens: int
    rounds: int


class Told(msgspec.Struct, frozen=True):
    """One answer."""

    ids: list[int]
    tokens_per_second: float  # from the first token on


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    end_cleanly_when_terminated()
    print(f"{machine(broker_binary())}\n`python -m bench.guessing {shlex.join(argv)}`\n", flush=True)
    head = ("model", "text", "sampling", "tokens", "plain tok/s", "guessing tok/s", "ratio", "the same")
    with tempfile.TemporaryDirectory() as made:
        rows = [row for model in flags.models for row in _rows(model, folder_of(model, Path(made)), flags)]
    print(table(head, rows))


def _rows(model: str, folder: Path, flags: Flags) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    with engine(folder, "--no-guesses") as plain, engine(folder) as guessing:
        for running in (plain, guessing):
            _until_ready(running)
        for name, ask in ASKS.items():
            for sampling, heat in _HEATS.items():
                wanted = replace(ask, temperature=heat, max_tokens=flags.tokens, min_tokens=flags.tokens)
                rows.append((model, name, sampling, *_measured(plain, guessing, wanted, flags.rounds)))
                print(f"… {' '.join(rows[-1])}", file=sys.stderr, flush=True)
    return rows


def _measured(plain: Engine, guessing: Engine, ask: Generate, rounds: int) -> Sequence[str]:
    asks = [replace(ask, seed=seed, id=f"{ask.prompt}/{ask.temperature}/{seed}"[-200:]) for seed in range(rounds)]
    pairs = [(_answer(plain, one), _answer(guessing, one)) for one in asks]
    same = sum(before.ids == after.ids for before, after in pairs)
    return (
        str(sum(len(before.ids) for before, _ in pairs)),
        f"{statistics.median(before.tokens_per_second for before, _ in pairs):.1f}",
        f"{statistics.median(after.tokens_per_second for _, after in pairs):.1f}",
        f"{statistics.median(after.tokens_per_second / before.tokens_per_second for before, after in pairs):.2f}",
        f"{same} of {len(pairs)}",
    )


def _answer(running: Engine, ask: Generate) -> Told:
    running.say(ask)
    ids: list[int] = []
    first_s = 0.0
    while True:
        heard = running.hear()
        match heard.reply:
            case Token(id=ask.id, tokens=tokens):
                first_s = first_s or heard.at_s
                ids += tokens
            case Done(id=ask.id):
                return Told(ids, (len(ids) - 1) / (heard.at_s - first_s))
            case _:
                pass


def _until_ready(running: Engine) -> None:
    while not isinstance(running.hear().reply, Ready):
        pass


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(
        prog="python -m bench.guessing", description="A lone request with guesses and without."
    )
    flag = parser.add_argument
    flag("--models", default="smollm2-135m", help="names, folders, or `tiny` (%(default)s)")
    flag("--tokens", default="120", help="of each answer (%(default)s)")
    flag("--rounds", default="3", help="answers of each kind (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
