"""Parts that are ordinary programs of the system: what is tested here is how processes are kept, not what they do."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from mlx_pool.up.crew import Crew
from mlx_pool.up.notice import Notice
from mlx_pool.up.part import Part, Stage
from mlx_pool.up.state import State, StateFile


class Recorder:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[tuple[str, Notice]] = []

    def say(self, text: str) -> None:
        """Keep a line."""
        self.said.append(text)

    def show(self, part: str, notice: Notice) -> None:
        """Keep what a part tells."""
        self.shown.append((part, notice))

    def settle(self) -> None:
        """Nothing moves here."""


class Yard:
    """A crew at work in a folder, with its screen."""

    def __init__(self, crew: Crew, screen: Recorder, folder: Path) -> None:
        self.crew = crew
        self.screen = screen
        self.state = folder / "up.json"
        self.notes = folder / "notes"

    def noted(self) -> list[str]:
        """What parts have noted so far, one word a line."""
        return self.notes.read_text().split() if self.notes.exists() else []

    def part(self, script: str, *, name: str = "worker", stage: Stage = "worker", holds_stdin: bool = False) -> Part:
        """Make a part of a shell script, in which $NOTES is the file to note things in."""
        env = {"PATH": "/usr/bin:/bin", "NOTES": str(self.notes)}
        return Part(name=name, stage=stage, argv=("/bin/sh", "-c", script), env=env, holds_stdin=holds_stdin)


Yards = Callable[[], AbstractAsyncContextManager[Yard]]


@pytest.fixture
def yard(tmp_path: Path) -> Yards:
    """Give what makes crews, each for one `async with` block; leaving it ends all of its parts."""

    @asynccontextmanager
    async def make() -> AsyncGenerator[Yard]:
        screen = Recorder()
        state = StateFile(tmp_path / "up.json", State("http://127.0.0.1:1", "redis://127.0.0.1:1"))
        async with asyncio.TaskGroup() as tasks:
            crew = Crew(tasks, state, tmp_path, screen, _told_nobody)
            try:
                yield Yard(crew, screen, tmp_path)
            finally:
                crew.stop_or_kill()
                crew.stop_or_kill()
                await crew.stop()

    return make


async def _told_nobody(_pid: int) -> None:
    """There is no queue to tell of a worker's end."""


class Ended(msgspec.Struct, frozen=True):
    """A command that has ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Awaitable[Ended]]


@pytest.fixture
def run_command(tmp_path: Path) -> RunCommand:
    """Run `mlx-pool …` to its end as a process of its own, with an empty data folder and no pool of this machine's."""

    async def run(*argv: str, **env: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mlx_pool", *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"MLX_POOL_DATA": str(tmp_path / "data"), "NO_COLOR": "1", "MLX_POOL_LAN": "off"} | env,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    return run
