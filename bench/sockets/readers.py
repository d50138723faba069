"""`python -m bench.sockets.readers`: thousands of streams read by one process, which looks at the time and little else.

The text is `bench.sockets.feeder`'s: when each token was written, by the clock that all processes of a machine share,
and its number, so that one which is missing is found out.
"""

import argparse
import asyncio
import gc
import json
import re
import sys
import time
from array import array
from collections.abc import Sequence
from typing import assert_never, cast, get_args

import uvloop

from bench.load.figures import spread
from bench.load.http import HOST
from bench.rig.files import allow_files

from .orders import QUESTIONS, Count, Counted, Ended, Held, Hold, Release, Via
from .talk import answer, questions

_TOKEN = re.compile(rb'"content":"([0-9]+) ([0-9]+) "')
_ENDS = (b'"status":"done"', b"data: [DONE]")
_OPENED_AT_ONCE = 10
_BEHIND_S = 0.02  # the next ones
_BEGIN_WITHIN_S, _END_WITHIN_S = 60.0, 60.0
_NS_PER_MS = 1e6


class Crowd:
    """What all readers know together."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.began = self.open = 0
        self.whole = self.cut = self.refused = self.missing = self.tokens = 0
        self.late_ns: array[int] | None = None  # while it is counted


class Reader(asyncio.Protocol):
    """One stream."""

    __slots__ = ("_crowd", "_has_begun", "_has_ended", "_rest", "_seen")

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._rest = b""
        self._seen = 0
        self._has_begun = self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio: ask."""
        self._crowd.open += 1
        cast("asyncio.Transport", transport).write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what came."""
        now_ns = time.monotonic_ns()
        if not self._has_begun:
            self._begin(data)
        data = self._rest + data if self._rest else data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        for stamp, number in _TOKEN.findall(data, 0, end):
            self._note(now_ns - int(stamp), int(number))
        self._has_ended = self._has_ended or any(mark in data for mark in _ENDS)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 however it ended
        """Called by asyncio at the end."""
        self._crowd.open -= 1
        if self._has_ended:
            self._crowd.whole += 1
        elif self._has_begun:
            self._crowd.cut += 1
        else:
            self._crowd.refused += 1

    def _begin(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200 "):
            self._has_begun = True
            self._crowd.began += 1

    def _note(self, late_ns: int, number: int) -> None:
        crowd = self._crowd
        crowd.tokens += 1
        crowd.missing += abs(number - self._seen - 1)
        self._seen = number
        if crowd.late_ns is not None:
            crowd.late_ns.append(late_ns)


async def hold(crowd: Crowd, port: int, streams: int) -> Held:
    """Open so many, some at a time, and wait until each has begun, or was refused."""
    loop, began_s = asyncio.get_running_loop(), time.monotonic()
    for at in range(0, streams, _OPENED_AT_ONCE):
        some = min(_OPENED_AT_ONCE, streams - at)
        await asyncio.gather(*(loop.create_connection(lambda: Reader(crowd), HOST, port) for _ in range(some)))
        await asyncio.sleep(_BEHIND_S)
    async with asyncio.timeout(_BEGIN_WITHIN_S):
        while crowd.began + crowd.refused < streams:  # noqa: ASYNC110 it gives no signal, and nothing is measured yet
            await asyncio.sleep(_BEHIND_S)
    return Held(crowd.began, time.monotonic() - began_s)


async def count(crowd: Crowd, seconds: float) -> Counted:
    """Note how late tokens are, for so long."""
    began_s, late_ns = time.monotonic(), array("q")
    crowd.late_ns = late_ns
    await asyncio.sleep(seconds)
    crowd.late_ns = None
    took_s = time.monotonic() - began_s
    return Counted(took_s, len(late_ns), spread(each / _NS_PER_MS for each in late_ns))


async def release(crowd: Crowd) -> Ended:
    """Wait for the streams' ends."""
    async with asyncio.timeout(_END_WITHIN_S):
        while crowd.open:  # noqa: ASYNC110 it gives no signal, and this is behind the measurement
            await asyncio.sleep(_BEHIND_S)
    return Ended(crowd.whole, crowd.cut, crowd.refused, crowd.missing, crowd.tokens)


def request_of(via: Via, port: int) -> bytes:
    """What each of them asks."""
    if via == "openai":
        path, accept = "/v1/chat/completions", "text/event-stream"
        asked = {"messages": [{"role": "user", "content": "Tell me the time."}], "stream": True, "max_tokens": 4_096}
    else:
        path, accept = "/chat", "text/event-stream" if via == "sse" else "application/x-ndjson"
        asked = {"prompt": "Tell me the time.", "max_tokens": 4_096, "timeout_ms": 3_600_000}
    body = json.dumps(asked).encode()
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Accept: {accept}",
        "Connection: close",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def main(argv: Sequence[str]) -> None:
    """Read until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.sockets.readers")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--via", choices=get_args(Via), required=True)
    flags = parser.parse_args(argv)
    crowd = Crowd(request_of(flags.via, flags.port))
    async for question in questions(QUESTIONS):
        match question:
            case Hold(streams):
                allow_files(streams + 100)
                answer(await hold(crowd, flags.port, streams))
                gc.collect()
                gc.freeze()
            case Count(seconds):
                answer(await count(crowd, seconds))
            case Release():
                answer(await release(crowd))
            case _:
                assert_never(question)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1:]))
