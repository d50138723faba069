"""Joining a real Redis with the scripted engine, as a person does: one line, and a worker that serves."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from shared.connection import connect
from tests.ports import FreePort

from .conftest import PASSWORD

RunCommand = Callable[..., Awaitable["Ended"]]


class Ended(msgspec.Struct, frozen=True):
    """As `run_command` gives it."""

    code: int
    out: str
    err: str


class Joined:
    """One `mlx-pool join` that runs, with what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []

    async def line(self, start: str) -> str:
        """Wait for a line that begins so."""
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while raw := await self.process.stderr.readline():
                self.said.append(raw.decode().rstrip())
                if self.said[-1].startswith(start):
                    return self.said[-1]
        raise AssertionError(self.said)


@asynccontextmanager
async def joined(data: Path, *argv: str) -> AsyncGenerator[Joined]:
    """Run it; leaving ends it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "mlx_pool", "join", *argv, "--engine", "scripted", "--json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"MLX_POOL_DATA": str(data), "NO_COLOR": "1"},
    )
    try:
        yield Joined(process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def family(pid: int) -> Iterator[int]:
    """Give a process and all that it started, by their pids."""
    yield pid
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        if parent == pid:
            yield from family(int(path.parent.name))


def command_line(pid: int) -> str:
    """Give what every user of the machine can read of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text()


async def test_a_machine_that_joined_serves_until_ctrl_c(guarded: str, tmp_path: Path, run_command: RunCommand) -> None:
    """It says so, for people and for programs; a job is served; it drains, and leaves with exit code 0."""
    async with joined(tmp_path, guarded, "--model", "tiny", "--name", "mac-9", "--slots", "3") as machine:
        await machine.line("ready after")
        assert machine.process.stdout is not None
        told = msgspec.json.decode(await machine.process.stdout.readline())

        answered = await run_command("submit", "hello", "--redis", guarded)

        assert answered.code == 0, answered.err
        assert (told["model"], told["seats"], told["others"], told["warnings"]) == ("tiny", 3, 0, [])
        assert told["worker"].startswith("mac-9.")
        assert "mlx-pool join --stay --model tiny" in await machine.line("Ctrl-C has it finish")
        machine.process.send_signal(signal.SIGINT)
        assert await machine.line("leaving")
        assert await machine.process.wait() == 0
    assert PASSWORD not in "\n".join(machine.said)


async def test_a_machine_that_is_told_to_leave_says_that(guarded: str, tmp_path: Path, run_command: RunCommand) -> None:
    """Who sits before it, and did nothing, learns why it has ended."""
    async with joined(tmp_path, guarded, "--model", "tiny", "--name", "mac-9") as machine:
        await machine.line("Ctrl-C has it finish")

        drained = await run_command("drain", "--host", "mac-9", "--redis", guarded)

        assert drained.code == 0, drained.err
        assert "mlx-pool drain" in await machine.line("it was told to leave")
        assert await machine.process.wait() == 0


async def test_a_name_of_the_environment_is_the_machines(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes by MLX_POOL_NAME where no flag says another, and is known again by it."""
    monkeypatch.setenv("MLX_POOL_NAME", "studio")

    async with joined(tmp_path, guarded, "--model", "tiny") as machine:
        assert ": studio." in await machine.line("ready after")


async def test_the_only_model_of_a_pool_needs_no_name(guarded: str, tmp_path: Path) -> None:
    """The second machine's person types the address alone, and is told who else serves."""
    async with joined(tmp_path, guarded, "--model", "tiny") as first:
        await first.line("ready after")

        async with joined(tmp_path, guarded) as second:
            assert "1 worker(s) serve tiny" in await second.line("pool at 127.0.0.1")
            assert "serves tiny" in await second.line("ready after")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc to look into")
async def test_no_list_of_processes_shows_the_password(guarded: str, tmp_path: Path) -> None:
    """Neither the command itself, nor its worker, nor the engine: the address is in their environment alone."""
    async with joined(tmp_path, guarded, "--model", "tiny") as machine:
        await machine.line("ready after")

        lines = [command_line(pid) for pid in family(machine.process.pid)]

        assert len(lines) >= 3
        assert [line for line in lines if PASSWORD in line] == []


async def test_what_can_not_work_is_said_in_a_line(guarded: str, free_port: FreePort, run_command: RunCommand) -> None:
    """A wrong password, nobody there, a model that no list knows: with exit codes for who can mend it."""
    wrong = await run_command("join", guarded.replace(PASSWORD, "guess"))
    nobody = await run_command("join", f"redis://:{PASSWORD}@127.0.0.1:{free_port()}")
    unknown = await run_command("join", guarded, "--model", "no-such-model")
    new = await run_command("join", MLX_POOL_REDIS_URL=guarded)

    assert (wrong.code, nobody.code, unknown.code, new.code) == (2, 1, 2, 2)
    assert "refuses the password" in wrong.err
    assert "Nothing listens" in nobody.err
    assert "There is no model named no-such-model" in unknown.err
    assert "has served no model yet" in new.err
    assert PASSWORD not in wrong.err + nobody.err + unknown.err + new.err


async def test_a_worker_that_can_not_begin_says_why(guarded: str, run_command: RunCommand) -> None:
    """Its last words become the command's own, and its exit code too."""
    ended = await run_command("join", guarded, "--model", "tiny", "--engine", "scripted", "--slots", "0")

    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("mlx-pool: --slots='0'")


async def test_a_dry_run_starts_nothing(guarded: str, run_command: RunCommand) -> None:
    """It tells what would be done, and ends."""
    ended = await run_command("join", guarded, "--model", "tiny", "--engine", "scripted", "--dry-run")

    assert ended.code == 0
    assert "tiny is new to it" in ended.err
    assert "ready after" not in ended.err


async def test_of_several_models_one_has_to_be_named(guarded: str, run_command: RunCommand) -> None:
    """With what fits this machine beside each that the catalogue knows."""
    client = connect(guarded, name="test")
    await client.command("SADD", "pool:models", "smollm2-135m", "mine")
    await client.aclose()

    several = await run_command("join", guarded)

    assert several.code == 2
    assert "Which model? Say it with --model: mine, smollm2-135m (fits this machine)." in several.err


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is for systemd")
async def test_to_stay_is_to_be_a_service_with_the_address_in_its_own_file(
    guarded: str, tmp_path: Path, run_command: RunCommand
) -> None:
    """Of mode 600; the unit, which anybody may read, has the flags and nothing more."""
    tool = tmp_path / "systemctl"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}

    ended = await run_command(
        *("join", guarded, "--model", "tiny", "--engine", "scripted", "--stay", "--wait-s", "0"), **env
    )

    assert ended.code == 0, ended.err
    kept = tmp_path / ".config" / "mlx-pool" / "worker.env"
    unit = (tmp_path / ".config" / "systemd" / "user" / "mlx-pool-worker.service").read_text()
    assert guarded in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "--model tiny" in unit
    assert PASSWORD not in unit + ended.err + ended.out
