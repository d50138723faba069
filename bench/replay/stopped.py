"""A home that is stopped: how long its conversations' next turn waits, asked in the very moment."""

import os
import signal
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bench.rig.pool import Worker
from bench.table import table
from bench.turns.conversation import Conversation
from bench.turns.turn import Turn, ask
from shared.claims import LEASE_MS

from .macs import Mac, macs

_ALIKE = (Mac(600, 26, 8, 90_000),) * 3
_SENTENCES = 160  # some 2,000 tokens of history: reading them anew takes longer than a lease lasts
_ANSWER_TOKENS = 40
_SIGNALS = (signal.SIGKILL, signal.SIGTERM)
_HEAD = (
    *("stopped by", "turns", "began after s: median", "worst", "first token after s: median", "worst"),
    *("the turn before, median", "hold s at most", "lease + hold"),
)


class Measured(msgspec.Struct, frozen=True):
    """One home's end: its conversations' turns before and after."""

    before: list[Turn]
    after: list[Turn]


def measure(folder: Path, broker: str, *, rounds: int, chats: int) -> str:
    """Stop homes; the table."""
    rows: list[list[str]] = []
    for number in _SIGNALS:
        measured: list[Measured] = []
        for place in range(rounds):
            measured.append(_once(folder / f"stopped-{number.name}-{place}", broker, number, chats))
            print(f"… stopped by {number.name}, round {place + 1}", file=sys.stderr, flush=True)
        rows.append(_row(number.name, measured))
    return table(_HEAD, rows)


def _once(folder: Path, broker: str, number: signal.Signals, chats: int) -> Measured:
    with (
        macs(folder, broker, pace=1, kinds=_ALIKE) as (running, workers),
        ThreadPoolExecutor(chats) as people,
    ):

        def turn(chat: Conversation) -> Turn:
            got = ask(running.port, chat.messages, _ANSWER_TOKENS)
            chat.go_on(got.text)
            return got

        talks = [Conversation(each, sentences=_SENTENCES) for each in range(chats)]
        list(people.map(turn, talks))
        before = list(people.map(turn, talks))
        homes = [got.worker for got in before]
        home = max(set(homes), key=homes.count)
        os.kill(_pid_of(home, workers), number)
        # One for each worker that is left: another would wait for its neighbour's prompt to be read, not for its home.
        orphans = [talk for talk, where in zip(talks, homes, strict=True) if where == home][: len(_ALIKE) - 1]
        return Measured([got for got in before if got.worker == home], list(people.map(turn, orphans)))


def _pid_of(worker: str, workers: Sequence[Worker]) -> int:
    pid = int(worker.rsplit(".", 2)[1])
    return next(each.agent_pid for each in workers if each.agent_pid == pid)


def _row(name: str, measured: Sequence[Measured]) -> list[str]:
    after = [turn for one in measured for turn in one.after]
    before = [turn.first_ms / 1_000 for one in measured for turn in one.before]
    began, first = [turn.started_ms / 1_000 for turn in after], [turn.first_ms / 1_000 for turn in after]
    hold = max(turn.prompt_tokens for turn in after) / _ALIKE[0].prefill_tokens_per_s
    bound = hold + (LEASE_MS / 1_000 if name == "SIGKILL" else 0.0)
    seconds = (statistics.median(began), max(began), statistics.median(first), max(first), statistics.median(before))
    return [name, str(len(after)), *(f"{value:.2f}" for value in (*seconds, hold, bound))]
