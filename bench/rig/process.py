"""One process of a measurement: started with its words in a file, awaited, and ended with its group."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
_POLL_S = 0.02
_LAST_LINES = 15


class Died(Exception):
    """A process of the measurement ended, or did not get ready; the message has its last words."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a part: ours without the pool's settings, so that a measurement depends on flags alone.

    And without the wish to compile all modules anew at each start, which nobody has whose starts are counted.
    """
    left_out = ("MLX_POOL_", "MLX_MODEL_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(more or {})


class Process:
    """A running process; `with` ends it. Its stdout and stderr go to `<folder>/<name>.log`."""

    def __init__(self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=ROOT, env=environment(env), start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Wait for a condition.

        Raises:
            Died: it ended, or the condition did not hold in time.

        """
        deadline = time.monotonic() + READY_WITHIN_S
        while not is_ready():
            if self._child.poll() is not None:
                raise Died(f"{self.name} ended with {self._child.returncode}:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise Died(f"{self.name} was not ready within {READY_WITHIN_S:.0f} s:\n{self._last_words()}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it, by force where a word does not do."""
        self._child.terminate()
        try:
            self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])


def end_cleanly_when_terminated() -> None:
    """Have SIGTERM end this process as an exception does, so that what it started is ended too."""
    signal.signal(signal.SIGTERM, _end)


def python(module: str, *flags: str) -> list[str]:
    """The command of a module of this checkout."""
    return [sys.executable, "-m", module, *flags]


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)
