"""`python -m bench.sockets.feeder`: a worker of thousands of slots and no engine, which says a token a second in each.

It speaks to Redis as an agent does (lease, look, take, append, finish), but names only the runs that have news: agents
name each of theirs four times a second, so that as many streams would take some forty machines. A token's text is the
moment of its writing and its number.
"""

import argparse
import asyncio
import contextlib
import random
import secrets
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence

import msgspec
import uvloop

from shared.claims import Claimed, Claims, Row
from shared.connection import connect
from shared.event import AnyEvent, Done, Started, Token, Usage, encode_event
from shared.limits import write_limits

from .orders import QUESTIONS, Fed, Held, Hold
from .talk import answer, questions

MODEL = "scripted"
_TICK_S = 0.02
_BEAT_S = 0.5
_BEGIN_WITHIN_S = 60.0
_ROWS = 250  # a call: Redis serves others between two
_MOST_WAITING = 50_000


class Stream:
    """One job."""

    __slots__ = ("attempt", "due_s", "id", "seq", "tokens")

    def __init__(self, job: Claimed, due_s: float) -> None:
        self.id = job.id
        self.attempt = job.attempt
        self.seq = job.seq
        self.tokens = 0
        self.due_s = due_s

    def row(self, *events: AnyEvent) -> Row:
        """The next events, numbered."""
        first = self.seq + 1
        self.seq += len(events)
        numbered = (msgspec.structs.replace(event, seq=seq) for seq, event in enumerate(events, first))
        return Row(self.id, self.attempt, first, [encode_event(event) for event in numbered])

    def token(self) -> Token:
        """The next token."""
        self.tokens += 1
        return Token(content=f"{time.monotonic_ns()} {self.tokens} ", tokens=[1])


class Feeder:
    """Takes every job, and feeds them all at one pace."""

    def __init__(self, claims: Claims, every_s: float) -> None:
        self._claims = claims
        self._every_s = every_s
        self._streams: deque[Stream] = deque()  # by when the next token is due
        self._refused = 0
        self._is_over = False

    @property
    def running(self) -> int:
        """How many streams there are."""
        return len(self._streams)

    async def beat(self) -> None:
        """Keep the lease, for ever."""
        while True:
            await self._claims.beat(self.fields())
            await asyncio.sleep(_BEAT_S)

    def fields(self) -> dict[str, str | int | float]:
        """What the pool is to know."""
        return {"model": MODEL, "slots": _MOST_WAITING, "busy": self.running, "state": "ready"}

    async def run(self) -> None:
        """Take and feed, until the end is near."""
        while not self._is_over:
            await self._take()
            await self._feed()
            await asyncio.sleep(_TICK_S)

    def stop(self) -> None:
        """Take and feed no more."""
        self._is_over = True

    async def end(self) -> Fed:
        """End all streams well."""
        ended = list(self._streams)
        for at in range(0, len(ended), _ROWS):
            rows = [each.row(Done(reason="stop", usage=Usage(1, each.tokens))) for each in ended[at : at + _ROWS]]
            told = await self._claims.finish_each([(row, "done") for row in rows])
            self._refused += sum(outcome != "ok" for outcome, _ in told)
            await asyncio.sleep(_TICK_S)
        return Fed(len(ended), sum(each.tokens for each in ended), self._refused)

    async def _take(self) -> None:
        window = await self._claims.look()
        entries = [each.entry for each in window.waiting]
        jobs = await self._claims.take(entries) if entries else []
        if not jobs:
            return
        now_s = time.monotonic()
        new = [Stream(job, now_s) for job in jobs]
        started = Started(worker="feeder", attempt=1, seed=1, prompt_tokens=1, prompt_hash="x")
        await self._append([each.row(started) for each in new])
        for each in new:
            each.due_s = now_s + random.random() * self._every_s
        self._streams = deque(sorted([*self._streams, *new], key=lambda each: each.due_s))

    async def _feed(self) -> None:
        streams, now_s = self._streams, time.monotonic()
        while streams and streams[0].due_s <= now_s:
            some: list[Stream] = []
            while streams and streams[0].due_s <= now_s and len(some) < _ROWS:
                some.append(streams.popleft())
                some[-1].due_s += self._every_s
                streams.append(some[-1])
            await self._append([each.row(each.token()) for each in some])

    async def _append(self, rows: Sequence[Row]) -> None:
        verdicts = await self._claims.append(rows)
        self._refused += sum(verdict.verdict != "ok" for verdict in verdicts)


async def main(argv: Sequence[str]) -> None:
    """Feed until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.sockets.feeder")
    parser.add_argument("--redis", required=True)
    parser.add_argument("--every-ms", type=float, default=1_000)
    flags = parser.parse_args(argv)
    broker = connect(flags.redis, name="feeder")
    host = socket.gethostname()
    claims = Claims(broker, MODEL, f"{host}.1.{secrets.token_hex(4)}", host=host)
    feeder = Feeder(claims, flags.every_ms / 1_000)
    await write_limits(broker, MODEL, {"waiting": _MOST_WAITING})
    await claims.register("feeder", feeder.fields())
    async with contextlib.aclosing(broker), asyncio.TaskGroup() as tasks:
        beating, feeding = tasks.create_task(feeder.beat()), tasks.create_task(feeder.run())
        async for question in questions(QUESTIONS):
            if isinstance(question, Hold):
                answer(await _held(feeder, question.streams))
            else:
                feeder.stop()
                await feeding
                answer(await feeder.end())
        feeding.cancel()
        beating.cancel()


async def _held(feeder: Feeder, streams: int) -> Held:
    began_s = time.monotonic()
    async with asyncio.timeout(_BEGIN_WITHIN_S):
        while feeder.running < streams:  # noqa: ASYNC110 it gives no signal, and nothing is measured yet
            await asyncio.sleep(_TICK_S)
    return Held(feeder.running, time.monotonic() - began_s)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1:]))
