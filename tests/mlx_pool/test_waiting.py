"""The line that tells how a question waits."""

import asyncio
import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_pool.waiting import WaitingLine, line_of
from shared.event import Queued
from tests.pool import StartPool


@pytest.mark.parametrize(
    ("waiting", "wait_ms", "line"),
    [
        (3, 4_000, "3 before you, about 4 s"),
        (3, None, "3 before you"),
        (0, None, "you are next"),
        (0, 0, "you are next, about 1 s"),
        (1, 4_100, "1 before you, about 5 s"),
        (40, 119_000, "40 before you, about 119 s"),
        (90, 200_000, "90 before you, about 3 min"),
    ],
)
def test_it_says_how_many_and_how_long(waiting: int, wait_ms: int | None, line: str) -> None:
    """A wait is rounded up, and left out when nobody knows."""
    assert line_of(Queued(waiting=waiting, expected_wait_ms=wait_ms)) == line


@pytest.mark.parametrize(
    ("waiting", "loading", "line"),
    [(0, 0.0, "you are next, the model is loading (0%)"), (3, 0.256, "3 before you, the model is loading (26%)")],
)
def test_it_says_what_is_waited_for_while_the_model_loads(waiting: int, loading: float, line: str) -> None:
    """How far that is, in place of a time that nobody knows."""
    assert line_of(Queued(waiting=waiting, loading=loading)) == line


def test_it_leaves_nothing_behind() -> None:
    """A shorter line hides all of a longer one, and what is written next stands where the line began."""
    screen, terminal = os.openpty()
    with open(terminal, "w") as out:  # noqa: PTH123 it has no path
        line = WaitingLine(out)
        for waiting in (10, 9):
            line.show(Queued(waiting=waiting))
        line.erase()
        line.erase()
        out.write("an answer")
        out.flush()
        shown = read_until(screen, b"an answer").decode()
    os.close(screen)

    assert on_screen(shown) == "an answer    "


def test_who_reads_no_screen_reads_nothing_of_it() -> None:
    """A pipe or a file holds the answer only."""
    out = io.StringIO()

    line = WaitingLine(out)
    line.show(Queued(waiting=1))
    line.erase()

    assert out.getvalue() == ""


async def test_a_question_that_waits_says_so(start_pool: StartPool, tmp_path: Path) -> None:
    """On the terminal, until its turn has come; the answer's pipe, and who has no terminal, get the answer alone."""
    screen, terminal = os.openpty()
    async with start_pool(slots=1) as pool:
        busy = await pool.http.post("/chat", json={"prompt": "[[slow:50]]", "background": True, "stream": False})
        asking = [ask(pool.url, tmp_path, stderr) for stderr in (terminal, subprocess.PIPE)]
        os.close(terminal)
        said = await asyncio.to_thread(read_until, screen, b"you are next", b"1 before you")
        await pool.http.delete(f"/chat/{busy.json()['id']}")
        answers = [await asyncio.to_thread(process.communicate, timeout=20) for process in asking]
        said += rest_of(screen)

    assert [process.returncode for process in asking] == [0, 0]
    assert on_screen(said.decode()).strip() == ""
    assert all(answer.strip() and b"before you" not in answer for answer, _ in answers)
    assert answers[1][1] == b""


def ask(url: str, home: Path, stderr: int) -> subprocess.Popen[bytes]:
    """Ask something, with what is said beside the answer going there."""
    command = (sys.executable, "-P", "-m", "mlx_pool", "chat", "안녕", "--url", url, "--max-tokens", "8")
    env = os.environ | {"MLX_POOL_DATA": str(home)}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=env)


def read_until(screen: int, *wanted: bytes) -> bytes:
    """What is shown up to and with one of these."""
    said = b""
    while not any(each in said for each in wanted):
        said += os.read(screen, 1_000)
    return said


def rest_of(screen: int) -> bytes:
    """What is shown until nobody holds the terminal any more; Linux tells of that by an error."""
    said = b""
    with contextlib.suppress(OSError):
        while piece := os.read(screen, 1_000):
            said += piece
    os.close(screen)
    return said


def on_screen(said: str) -> str:
    """What stands on the line when all of this was said: a return goes back to its beginning."""
    line: list[str] = []
    for part in said.split("\r"):
        line[: len(part)] = part
    return "".join(line)
