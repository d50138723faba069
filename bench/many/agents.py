"""`python -m bench.many.agents`: many agents in one process, until its input ends; it tells their counts."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from bench.sockets.talk import answer, questions
from shared.channel import Listener
from shared.connection import connect
from worker.claimer import DOORBELL_MS
from worker.engine import wire
from worker.hints import Hints
from worker.log import configure
from worker.service import Connections, Service
from worker.stand import Stand

from .engine import PlayedEngine

_MS_PER_S = 1_000
_SPREAD_S = 0.5  # over which they begin, so that they do not all beat at one moment


class Count(msgspec.Struct, frozen=True):
    """Asks for the counts."""


class Counted(msgspec.Struct, frozen=True):
    """What all of them have done so far."""

    made: int  # tokens
    looks: int
    claims: int


class Played(Service):
    """A service whose engine is played."""

    def __init__(self, connections: Connections, *, queue: str, host: str, slots: int, step_s: float) -> None:
        super().__init__(Stand(queue, pinned=True), (), connections, host=host, hints=Hints(sys.platform))
        self.played = PlayedEngine(slots, step_s, self._listen)
        self._engine = self.played

    @property
    def counted(self) -> Counted:
        """What it has done."""
        return Counted(self.played.made, self._tally.looks, self._tally.jobs_done)

    def _listen(self, replies: list[wire.AnyReply]) -> None:
        self._hear(replies)


async def main(argv: Sequence[str]) -> None:
    """Serve until stdin ends."""
    flags = _read_flags(argv)
    configure("warning")
    async with AsyncExitStack() as stack:
        services: list[Played] = []
        tasks: list[asyncio.Task[None]] = []
        for number in range(flags.first, flags.first + flags.workers):
            links = await stack.enter_async_context(_connections(os.environ["MLX_POOL_REDIS_URL"]))
            host = f"mac-{number}"
            made = Played(links, queue=flags.queue, host=host, slots=flags.slots, step_s=flags.step_ms / _MS_PER_S)
            services.append(made)
            tasks.append(asyncio.create_task(made.run(drain_s=0)))
            await asyncio.sleep(_SPREAD_S / flags.workers)
        async for _ in questions(msgspec.json.Decoder(Count)):
            counted = [service.counted for service in services]
            sums = (sum(getattr(one, name) for one in counted) for name in Counted.__struct_fields__)
            answer(Counted(*sums))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _connections(url: str) -> AsyncGenerator[Connections]:
    """An agent's own, as many as it has alone."""
    listener = Listener(url, name="worker-control")
    bell = connect(url, name="worker-bell", timeout_ms=DOORBELL_MS + 2_000, connections=2)
    connections = Connections(
        calls=connect(url, name="worker"),
        beats=connect(url, name="worker-beat", connections=2),
        bell=bell,
        slow_bell=bell,  # nobody stands by here
        listener=listener,
    )
    listening = asyncio.create_task(listener.run())
    try:
        yield connections
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        for broker in (connections.calls, connections.beats, connections.bell):
            await broker.aclose()


def _read_flags(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.many.agents")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--step-ms", type=float, required=True)
    return parser.parse_args(argv)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
