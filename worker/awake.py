"""Keeping macOS awake while a worker works: a Mac asleep is a worker that died.

A Linux machine has no such manners, and needs nothing.
"""

import contextlib
import subprocess
from collections.abc import Generator, Sequence

import structlog

_END_WITHIN_S = 2.0
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def awake_command(platform: str, pid: int) -> list[str] | None:
    """Return the command that keeps a machine of this `sys.platform` awake until `pid` ends, if it needs one."""
    if platform != "darwin":
        return None
    # -i: no idle sleep; the screen may go dark. -w: it ends by itself when the worker is killed.
    return ["caffeinate", "-i", "-w", str(pid)]


@contextlib.contextmanager
def kept_awake(command: Sequence[str] | None) -> Generator[None]:
    """Run the command beside the block and end it with the block; one that can't be started costs only a warning."""
    keeper = _start(command) if command else None
    try:
        yield
    finally:
        if keeper is not None:
            _end(keeper)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603 - the command is `awake_command`'s
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        _log.warning("machine_may_sleep", command=command[0], reason=str(error))
        return None


def _end(keeper: subprocess.Popen[bytes]) -> None:
    keeper.terminate()
    try:
        keeper.wait(_END_WITHIN_S)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()
