"""`python -m bench.prefill`: what is waited for before a first token: an engine's start, and other people's prompts.

A long prompt is being read, chunk by chunk, when a short request comes; a stream decodes all the while. Told are the
short one's time to its first token, in chunks as they were timed in the same round, and the widest gap in the stream,
beside the widest when nothing is read.
"""

import argparse
import itertools
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from mlx_pool.up.broker import broker_binary
from worker.engine.wire import AnyReply, Cancel, Done, Generate, Prefill, Ready, Token

from .flags import read_flags
from .models import folder_of
from .rig.engine import Engine, Heard, engine
from .rig.machine import machine
from .rig.process import end_cleanly_when_terminated
from .table import table

_SHORT = "What is the capital of France?"
_SENTENCE = "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. "
_TOKENS_A_SENTENCE = 19
_QUIET_TOKENS = 20  # of the stream, before anything else is asked
_LONG_AFTER_CHUNKS = 1  # the short request comes when so many are read


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    models: list[str]
    prompt: int  # tokens of the long one, about
    rounds: int


class Round(msgspec.Struct, frozen=True):
    """One short request beside one long prompt, in seconds."""

    short_s: float
    chunk_s: float
    gap_s: float
    quiet_gap_s: float


class Start(msgspec.Struct, frozen=True):
    """From the process's start, in seconds."""

    ready_s: float
    first_token_s: float  # of a request that is asked as soon as the engine is ready


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables for LOG.md on stdout."""
    flags = _read_flags(argv)
    end_cleanly_when_terminated()
    print(f"{machine(broker_binary())}\n`python -m bench.prefill {shlex.join(argv)}`\n", flush=True)
    with tempfile.TemporaryDirectory() as made:
        folders = {model: folder_of(model, Path(made)) for model in flags.models}
        starts = {model: [_start(folder) for _ in range(flags.rounds)] for model, folder in folders.items()}
        print(_report_starts(starts) + "\n", flush=True)
        rounds = {model: _rounds(folder, flags) for model, folder in folders.items()}
    print(_report_rounds(rounds, flags.prompt))


def _start(folder: Path) -> Start:
    began_s = time.monotonic()
    with engine(folder) as running:
        ready = _until(running, lambda reply: isinstance(reply, Ready))
        running.say(Generate(id="first", prompt=_SHORT, max_tokens=1, seed=1))
        first = _until(running, lambda reply: isinstance(reply, Token))
    return Start(ready.at_s - began_s, first.at_s - began_s)


def _rounds(folder: Path, flags: Flags) -> list[Round]:
    numbers = itertools.count(1)
    with engine(folder, "--slots", "8", "--prompt-cache-mb", "0") as running:
        _until(running, lambda reply: isinstance(reply, Ready))
        for _ in range(2):  # the pace of reading is measured first
            _long_alone(running, f"warm/{next(numbers)}", flags.prompt)
        return [_round(running, next(numbers), flags.prompt) for _ in range(flags.rounds)]


def _long_alone(running: Engine, name: str, tokens: int) -> None:
    running.say(_long(name, tokens))
    _until(running, lambda reply: isinstance(reply, Done) and reply.id == name)


def _round(running: Engine, number: int, tokens: int) -> Round:
    stream, long, short = (f"{kind}/{number}" for kind in ("stream", "long", "short"))
    running.say(Generate(id=stream, prompt=_SHORT, max_tokens=4_000, min_tokens=4_000, seed=number))
    quiet = [heard.at_s for heard in _take(running, _is_token_of(stream), _QUIET_TOKENS)]
    running.say(_long(long, tokens))
    heard = list(_take(running, _is_chunk_of(long), _LONG_AFTER_CHUNKS, with_all=True))
    asked_s = time.monotonic()
    running.say(Generate(id=short, prompt=_SHORT, max_tokens=1, seed=number))
    heard += _take(running, _is_token_of(short), 1, with_all=True)
    short_s = heard[-1].at_s - asked_s
    heard += _take(running, _is_token_of(long), 1, with_all=True)
    running.say(Cancel(id=stream))
    chunks = [one.at_s for one in heard if _is_chunk_of(long)(one.reply)]
    told = [quiet[-1], *(one.at_s for one in heard if _is_token_of(stream)(one.reply))]
    return Round(short_s, statistics.median(_steps(chunks)), max(_steps(told)), max(_steps(quiet)))


def _long(name: str, tokens: int) -> Generate:
    # Its own first words, so that no two have a beginning in common.
    prompt = f"{name}: " + _SENTENCE * (tokens // _TOKENS_A_SENTENCE)
    return Generate(id=name, prompt=prompt, max_tokens=1, seed=1)


def _is_token_of(name: str) -> Callable[[AnyReply], bool]:
    return lambda reply: isinstance(reply, Token) and reply.id == name


def _is_chunk_of(name: str) -> Callable[[AnyReply], bool]:
    return lambda reply: isinstance(reply, Prefill) and reply.id == name


def _until(running: Engine, is_meant: Callable[[AnyReply], bool]) -> Heard:
    return next(_take(running, is_meant, 1))


def _take(
    running: Engine, is_meant: Callable[[AnyReply], bool], count: int, *, with_all: bool = False
) -> Iterator[Heard]:
    """Hear so many of the meant replies; `with_all` gives the others too."""
    while count:
        heard = running.hear()
        is_one = is_meant(heard.reply)
        count -= is_one
        if is_one or with_all:
            yield heard


def _steps(times: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times)]


def _report_starts(starts: dict[str, list[Start]]) -> str:
    rows = [
        (
            model,
            str(len(told)),
            f"{statistics.median(start.ready_s for start in told):.2f}",
            f"{statistics.median(start.first_token_s for start in told):.2f}",
            f"{max(start.first_token_s for start in told):.2f}",
        )
        for model, told in starts.items()
    ]
    return table(("model", "starts", "ready s", "first token s", "worst s"), rows)


def _report_rounds(rounds: dict[str, list[Round]], tokens: int) -> str:
    head = ("model", "long prompt", "rounds", "chunk ms", "short's TTFT ms", "in chunks", "worst", "gap ms", "quiet ms")
    return table(head, [_row(model, told, tokens) for model, told in rounds.items()])


def _row(model: str, rounds: Sequence[Round], tokens: int) -> Sequence[str]:
    def middle(values: Iterator[float]) -> str:
        return f"{statistics.median(values) * 1_000:.0f}"

    in_chunks = [one.short_s / one.chunk_s for one in rounds]
    return (
        model,
        f"{tokens:,}",
        str(len(rounds)),
        middle(one.chunk_s for one in rounds),
        middle(one.short_s for one in rounds),
        f"{statistics.median(in_chunks):.2f}",
        f"{max(in_chunks):.2f}",
        middle(one.gap_s for one in rounds),
        middle(one.quiet_gap_s for one in rounds),
    )


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(
        prog="python -m bench.prefill", description="An engine's start, and a short request beside a long prompt."
    )
    flag = parser.add_argument
    flag("--models", default="smollm2-135m,tiny", help="names, folders, or `tiny` (%(default)s)")
    flag("--prompt", default="3000", help="tokens of the long prompt, about (%(default)s)")
    flag("--rounds", default="7", help="the median of so many (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
