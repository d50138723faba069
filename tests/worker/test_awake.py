"""Keeping a Mac awake: which command, and that it lasts as long as the work."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from worker.awake import awake_command, kept_awake


@pytest.mark.parametrize(
    ("platform", "command"), [("darwin", ["caffeinate", "-i", "-w", "42"]), ("linux", None), ("win32", None)]
)
def test_only_macos_is_kept_awake(platform: str, command: list[str] | None) -> None:
    """On macOS `caffeinate` watches the worker's process; elsewhere nothing is started."""
    assert awake_command(platform, 42) == command


async def test_the_keeper_lives_as_long_as_the_block(
    eventually: Callable[[Callable[[], object]], Awaitable[None]], tmp_path: Path
) -> None:
    """The command runs beside the work and is gone behind it."""
    note = tmp_path / "pid"

    with kept_awake(["sh", "-c", f"echo $$ > {note}; exec sleep 60"]):
        await eventually(lambda: note.exists() and note.read_text(encoding="utf-8").endswith("\n"))
        keeper = int(note.read_text(encoding="utf-8"))
        os.kill(keeper, 0)

    with pytest.raises(ProcessLookupError):
        os.kill(keeper, 0)


def test_a_missing_keeper_costs_only_a_warning() -> None:
    """A machine that can't be kept awake still works."""
    with capture_logs() as logs, kept_awake(["no-such-command"]):
        worked = True

    assert worked
    assert [log["event"] for log in logs] == ["machine_may_sleep"]
