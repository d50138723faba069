"""The pipe between the supervisor and its child: writes gathered and bounded, reads in one piece, lines whole."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from worker.child import MAX_LINE_BYTES, MAX_UNSENT_BYTES, Child, Lines

# Answers each read with the number of lines in it.
COUNTING = "import os\nwhile chunk := os.read(0, 1 << 20):\n    os.write(1, b'%d\\n' % chunk.count(b'\\n'))"
DEAF = "import time; time.sleep(60)"


@asynccontextmanager
async def child_of(script: str, heard: "asyncio.Queue[list[bytes]]") -> AsyncGenerator[Child]:
    """Start a child that runs a script; it ends with the block."""
    child = await Child.start((sys.executable, "-c", script), heard.put_nowait)
    life = asyncio.create_task(child.live())
    yield child
    child.kill()
    await life


async def test_requests_of_one_turn_are_one_write() -> None:
    """What the agent sends within one turn of the event loop reaches the engine in one piece."""
    heard: asyncio.Queue[list[bytes]] = asyncio.Queue()

    async with child_of(COUNTING, heard) as child:
        assert all(child.write(b"line\n") for _ in range(32))
        first = await heard.get()
        child.write(b"line\n")
        second = await heard.get()

    assert (first, second) == ([b"32"], [b"1"])


async def test_an_engine_that_reads_nothing_gets_no_more() -> None:
    """Writing never blocks and never piles up without bound: it says no."""
    heard: asyncio.Queue[list[bytes]] = asyncio.Queue()
    line = b"x" * (1 << 20)

    async with child_of(DEAF, heard) as child:
        taken = 0
        while child.write(line):
            taken += 1
            await asyncio.sleep(0)

    assert len(line) * taken >= MAX_UNSENT_BYTES - len(line)
    assert not child.write(line)


def test_lines_come_whole_however_they_are_cut() -> None:
    """Chunks may end anywhere, also inside a character; empty lines are nothing."""
    data = "안녕\n\nhello\n끝".encode()

    for at in range(len(data)):
        lines = Lines()
        assert lines.feed(data[:at]) + lines.feed(data[at:]) == ["안녕".encode(), b"hello"]
        assert lines.end() == ["끝".encode()]


def test_an_endless_line_is_dropped() -> None:
    """A line beyond the limit is left out as a whole, and the next one is heard."""
    lines = Lines()

    heard = [lines.feed(chunk) for chunk in (b"x" * (MAX_LINE_BYTES + 1), b"x" * 10, b"rest\nnext\n")]

    assert heard == [[], [], [b"next"]]
