"""`python -m bench.replay.greed`: asks for many jobs at once, for as long as its input is open.

Whoever is turned away comes again when it was told to. A line on stdin is answered with the counts so far.
"""

import argparse
import http.client
import os
import sys
import threading
import time
from collections.abc import Sequence

import msgspec

from bench.turns.turn import Failed, TurnedAway, ask

AFTER_S = 3.0
_PROMPT = "The harbour lay still, the gulls were quiet, and nobody on the quay had slept. " * 45  # some 900 tokens
_ANSWER_TOKENS = 180
_LEAST_PAUSE_S = 1.0


class Count(msgspec.Struct, frozen=True):
    """Asks what has come of it so far."""


class Counted(msgspec.Struct, frozen=True):
    """What has come of it."""

    done: int
    turned_away: int
    failed: int


class Greedy:
    """Threads that each ask, and ask again."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._lock = threading.Lock()
        self._number = 0
        self._counts = {"done": 0, "turned_away": 0, "failed": 0}

    def begin(self, jobs: int, after_s: float) -> None:
        """Ask for so many at all times, from some seconds on."""
        for _ in range(jobs):
            threading.Thread(target=self._go_on, args=(after_s,), daemon=True).start()

    def counted(self) -> Counted:
        """What came of it."""
        with self._lock:
            return Counted(**self._counts)

    def _go_on(self, after_s: float) -> None:
        time.sleep(after_s)
        while True:
            self._count(self._ask())

    def _ask(self) -> str:
        with self._lock:
            self._number += 1
            messages = [{"role": "user", "content": f"{self._number}: {_PROMPT}"}]
        try:
            ask(self._port, messages, _ANSWER_TOKENS, key=self._key)
        except TurnedAway as away:
            time.sleep(max(_LEAST_PAUSE_S, away.again_after_s))
            return "turned_away"
        except (Failed, OSError, http.client.HTTPException, ValueError):
            time.sleep(_LEAST_PAUSE_S)
            return "failed"
        return "done"

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1


def main(argv: Sequence[str]) -> None:
    """Ask until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.replay.greed")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--after-s", type=float, required=True)
    flags = parser.parse_args(argv)
    greedy = Greedy(flags.port, os.environ["GREEDY_KEY"])
    greedy.begin(flags.jobs, flags.after_s)
    for _ in sys.stdin:
        sys.stdout.buffer.write(msgspec.json.encode(greedy.counted()) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
