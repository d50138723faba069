import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from mlx_pool.data_folder import DataFolder
from mlx_pool.up.lock import hold
from mlx_pool.up.process import identity_of
from mlx_pool.up.state import Running, State, StateFile, end_leftovers, read_state

Eventually = Callable[..., Awaitable[None]]
# An `up` in small: one part and its guardian, as the real one starts them.
SMALL_UP = """
import asyncio, os, pathlib, sys
from mlx_pool.up.crew import Crew
from mlx_pool.up.lock import hold
from mlx_pool.up.part import Part
from mlx_pool.up.plan import guardian_part
from mlx_pool.up.screen import PlainScreen
from mlx_pool.up.state import State, StateFile
folder = pathlib.Path(sys.argv[1])
async def tell(pid): pass
async def run():
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, StateFile(folder / "up.json", State("", "")), folder, PlainScreen(), tell)
        crew.start(guardian_part(folder, os.getpid(), {}))
        crew.start(Part(name="worker", stage="worker", argv=("sleep", "60"), env={}))
        await asyncio.sleep(60)
with hold(folder / "lock", "up"):
    asyncio.run(run())
"""


@pytest.fixture
def left() -> Iterator[subprocess.Popen[bytes]]:
    """A process that an earlier `up` might have started."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def running(name: str, pid: int) -> Running:
    identity = identity_of(pid)
    assert identity is not None
    return Running(name, "worker", identity)


def test_the_next_up_ends_what_a_killed_one_left(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    """Nothing of an earlier run goes on beside the new one."""
    StateFile(tmp_path / "up.json", State("", "")).add(running("worker", left.pid))

    ended = end_leftovers(tmp_path / "up.json")

    assert ended == ["worker"]
    assert left.wait(5) == -signal.SIGTERM
    assert read_state(tmp_path / "up.json") is None


def test_a_state_file_of_an_earlier_boot_ends_nobody(tmp_path: Path, left: subprocess.Popen[bytes]) -> None:
    """A pid that belongs to somebody else by now is left alone."""
    text = StateFile(tmp_path / "up.json", State("", ""))
    text.add(running("worker", left.pid))
    path = tmp_path / "up.json"
    path.write_bytes(path.read_bytes().replace(b'"started":"', b'"started":"an earlier boot/'))

    end_leftovers(path)

    assert left.poll() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"running":[{}]}'])
def test_a_broken_state_file_is_no_state(tmp_path: Path, content: bytes) -> None:
    """A file that a full disk cut short does not keep the pool from starting."""
    (tmp_path / "up.json").write_bytes(content)

    assert end_leftovers(tmp_path / "up.json") == []


async def test_the_guardian_ends_what_a_killed_up_left(tmp_path: Path, eventually: Eventually) -> None:
    """A kill -9 of `up` itself leaves no process, also when nobody starts another one."""
    folder = DataFolder(tmp_path)
    up = await asyncio.create_subprocess_exec(sys.executable, "-c", SMALL_UP, str(tmp_path))
    await eventually(lambda: (state := read_state(folder.state)) is not None and len(state.running) == 2)
    state = read_state(folder.state)
    assert state is not None

    up.kill()
    await up.wait()

    await eventually(lambda: all(identity_of(running.identity.pid) is None for running in state.running))
    with hold(folder.lock, "up"):
        assert read_state(folder.state) is None
