"""`python -m bench.chat`: what the later turns of a chat wait for, with the prompt cache and without.

Each turn is asked of two pools in turn with the very same messages: one keeps its rows' state, the other reads every
prompt from its beginning. A ratio is that of a turn to the same turn beside it. With several workers on one queue a
turn may come to one that has not seen the chat.
"""

import argparse
import contextlib
import itertools
import shlex
import statistics
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import msgspec

from mlx_pool.up.broker import broker_binary

from .flags import read_flags
from .models import folder_of
from .rig.machine import machine
from .rig.pool import pool
from .rig.process import end_cleanly_when_terminated
from .table import table
from .turns.conversation import Conversation
from .turns.turn import Turn, ask


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    models: list[str]
    workers: list[int]
    rounds: int
    turns: int
    tokens: int
    sentences: int


class Pair(msgspec.Struct, frozen=True):
    """The same turn with the cache and without."""

    warm: Turn
    cold: Turn


class Measured(msgspec.Struct, frozen=True):
    """A model on so many workers: every chat's turns."""

    model: str
    workers: int
    chats: list[list[Pair]]


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.chat {shlex.join(argv)}`\n", flush=True)
    print(_report(list(_run(flags, broker))))


def _run(flags: Flags, broker: str) -> Iterator[Measured]:
    numbers = itertools.count(1)
    for model, workers in itertools.product(flags.models, flags.workers):
        print(f"… {model}, {workers} workers", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
            folder = Path(name)
            path = str(folder_of(model, folder))
            warm = running.enter_context(_pool(folder / "warm", broker, workers, "--model", path))
            cold = running.enter_context(_pool(folder / "cold", broker, 1, "--model", path, "--prompt-cache-mb", "0"))
            chats = [_chat(flags, warm, cold, next(numbers)) for _ in range(flags.rounds)]
        yield Measured(model, workers, chats)


@contextlib.contextmanager
def _pool(folder: Path, broker: str, workers: int, *flags: str) -> Generator[int]:
    """A pool in the block; its gateway's port."""
    folder.mkdir()
    with pool(folder, broker=broker) as running, contextlib.ExitStack() as serving:
        for _ in range(workers):
            serving.enter_context(running.worker(*flags))
        yield running.port


def _chat(flags: Flags, warm: int, cold: int, number: int) -> list[Pair]:
    """Chat with both, in turns who is asked first; what the warm one answers is what was said."""
    chat = Conversation(number, sentences=flags.sentences)
    pairs: list[Pair] = []
    for turn in range(flags.turns):
        ports = (warm, cold) if (turn + number) % 2 else (cold, warm)
        told = {port: ask(port, chat.messages, flags.tokens) for port in ports}
        pairs.append(Pair(told[warm], told[cold]))
        chat.go_on(told[warm].text)
    return pairs


def _report(measured: Sequence[Measured]) -> str:
    head = ["model", "workers", "turn", "prompt tokens", "of them cached", "cold ms p50", "warm ms p50", "warm / cold"]
    rows: list[list[str]] = []
    for one in measured:
        rows.append(_row(one, "1", [pairs[0] for pairs in one.chats]))
        rows.append(_row(one, "2 and on", [pair for pairs in one.chats for pair in pairs[1:]]))
    return table(head, rows)


def _row(one: Measured, turns: str, pairs: Sequence[Pair]) -> list[str]:
    lengths = [pair.warm.prompt_tokens for pair in pairs]
    cached = sum(pair.warm.cached_tokens for pair in pairs) / sum(lengths)
    ratio = statistics.median(pair.warm.first_ms / pair.cold.first_ms for pair in pairs)
    return [
        one.model,
        str(one.workers),
        turns,
        f"{min(lengths)} to {max(lengths)}",
        f"{cached:.0%}",
        f"{statistics.median(pair.cold.first_ms for pair in pairs):,.0f}",
        f"{statistics.median(pair.warm.first_ms for pair in pairs):,.0f}",
        f"{ratio:.3f}",
    ]


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.chat", description="A chat's turns, warm and cold.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--models", default="smollm2-135m,tiny", help="names, folders, or `tiny` (%(default)s)")
    flag("--workers", default="1,3", help="on the one queue with the cache (%(default)s)")
    flag("--rounds", default="3", help="chats (%(default)s)")
    flag("--turns", default="10", help="of each chat (%(default)s)")
    flag("--tokens", default="48", help="the most in an answer (%(default)s)")
    flag("--sentences", default="34", help="of the first message: some 500 tokens (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
