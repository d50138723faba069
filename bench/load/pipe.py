"""Streams from an engine's own pipe: what the model's process gives with nothing around it."""

import asyncio
import itertools
import json
import subprocess
import time
from collections.abc import Sequence

import msgspec

from bench.rig.process import ROOT, environment
from worker.child import Lines

from .recording import Line, Recording

_END = b'"status":"done"'
_READY = b'{"status":"ready"'
_TOLD = (b'{"status":"token"', b'{"status":"done"')
READY_WITHIN_S = 120.0


class _Id(msgspec.Struct, frozen=True):
    id: str = ""


class Engine(asyncio.Protocol):
    """A running engine, fed over its pipe."""

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0, cwd=ROOT, env=environment())
        self._cut = Lines()
        self._numbers = itertools.count(1)
        self._chunks: list[tuple[int, list[bytes]]] = []
        self._left = 0
        self._is_ready = asyncio.Event()
        self._is_over = asyncio.Event()

    @classmethod
    async def start(cls, command: Sequence[str]) -> "Engine":
        """Start it; returns when it takes requests."""
        engine = cls(command)
        await asyncio.get_running_loop().connect_read_pipe(lambda: engine, engine._child.stdout)
        async with asyncio.timeout(READY_WITHIN_S):
            await engine._is_ready.wait()
        return engine

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def stop(self) -> None:
        """End it."""
        self._child.kill()
        self._child.wait()

    async def follow(self, bodies: Sequence[str]) -> "Conversation":
        """Ask for all streams at once and wait for their ends."""
        asks = {f"bench/{next(self._numbers)}": body for body in bodies}
        self._chunks, self._left = [], len(asks)
        self._is_over.clear()
        asked_ns = time.monotonic_ns()
        assert self._child.stdin
        self._child.stdin.write(b"".join(_generate(pipe_id, body) for pipe_id, body in asks.items()))
        await self._is_over.wait()
        return Conversation(tuple(asks), asked_ns, self._chunks)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what the engine said."""
        lines = self._cut.feed(data)
        self._chunks.append((time.monotonic_ns(), lines))
        for line in lines:
            if _END in line:
                self._left -= 1
                if not self._left:
                    self._is_over.set()
            elif line.startswith(_READY):
                self._is_ready.set()


class Conversation:
    """What an engine said, for all the streams of an order."""

    def __init__(self, ids: Sequence[str], asked_ns: int, chunks: Sequence[tuple[int, list[bytes]]]) -> None:
        self._ids = ids
        self._asked_ns = asked_ns
        self._chunks = chunks

    def recordings(self) -> list[Recording]:
        """Read what came, by stream."""
        lines: dict[str, list[Line]] = {pipe_id: [] for pipe_id in self._ids}
        for at_ns, chunk in self._chunks:
            for data in chunk:
                if data.startswith(_TOLD):
                    lines[msgspec.json.decode(data, type=_Id).id].append(Line(at_ns, data))
        return [Recording(self._asked_ns, told[-1].at_ns, len(told), told) for told in lines.values()]


def _generate(pipe_id: str, body: str) -> bytes:
    return json.dumps({"op": "generate", "id": pipe_id, "seed": 1} | json.loads(body)).encode() + b"\n"
