"""`python -m bench.load`: carries out the orders that come on stdin, one a line, and writes a result a line."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

import msgspec
import uvloop

from bench.rig.usage import Usage, usage_of

from . import channel, http
from .completion import read_completion
from .figures import result_of
from .orders import ORDERS, AnyOrder, Result, ViaChannel, ViaCompletions, ViaHttp, ViaPipe
from .pipe import Engine
from .recording import Recording, read

WITHIN_S = 120.0

Recordings = Callable[[], Sequence[Recording]]  # read only when it is called, outside of what is measured


class LoadGenerator:
    """Carries out orders, one after the other; keeps the engines that they name."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, ...], Engine] = {}

    async def carry_out(self, order: AnyOrder) -> Result:
        """Carry out an order."""
        watched = dict(order.watch)
        if isinstance(order, ViaPipe):
            watched["engine"] = (await self._engine(order)).pid
        before, own_before = _usages(watched), time.process_time()
        async with asyncio.timeout(WITHIN_S):
            recordings = await self._follow(order)
        own, after = time.process_time() - own_before, _usages(watched)
        spent = {name: after[name].cpu_s - before[name].cpu_s for name in watched}
        reading = read_completion if isinstance(order, ViaCompletions) else read
        return msgspec.structs.replace(
            result_of([reading(recording) for recording in recordings()], is_clocked=order.is_clocked),
            cpu_s=spent | {"generator": own},
            peak_bytes={name: usage.peak_bytes for name, usage in after.items()},
        )

    def stop(self) -> None:
        """End the engines."""
        for engine in self._engines.values():
            engine.stop()

    async def _follow(self, order: AnyOrder) -> Recordings:
        match order:
            case ViaHttp() | ViaCompletions():
                streams = await http.follow(order)
            case ViaChannel():
                streams = await channel.follow(order)
            case ViaPipe():
                return (await (await self._engine(order)).follow(order.bodies)).recordings
            case _:
                assert_never(order)
        return lambda: [stream.recording() for stream in streams]

    async def _engine(self, order: ViaPipe) -> Engine:
        command = tuple(order.command)
        if command not in self._engines:
            self._engines[command] = await Engine.start(command)
        return self._engines[command]


def _usages(watched: Mapping[str, int]) -> dict[str, Usage]:
    return {name: usage_of(pid) for name, pid in watched.items()}


async def main() -> None:
    """Carry out orders until stdin ends."""
    # A collection in mid-stream would be measured as the path's delay.
    gc.disable()
    generator = LoadGenerator()
    try:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            result = await generator.carry_out(ORDERS.decode(line))
            sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
            sys.stdout.buffer.flush()
            gc.collect()
    finally:
        generator.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
