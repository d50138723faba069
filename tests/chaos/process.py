"""One process of the pool under test: started, killed, paused. Its words go to a file of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_END_WITHIN_S = 10.0


class Process:
    """A running process, and after it the next one under the same name."""

    def __init__(
        self, name: str, kind: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self._argv = list(argv)
        self._env = dict(env or {})
        self._log = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None
        self.is_paused = False
        self.past_engines: set[int] = set()  # of agents that were killed: they must die with them

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child, f"{self.name} was never started"
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs, paused or not."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it; a name has one process at a time."""
        assert not self.is_alive, f"{self.name} runs already"
        self.is_paused = False
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLX_POOL_", "MLX_MODEL_"))}
        env = kept | {"NO_COLOR": "1"} | self._env
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=env
            )

    def children(self) -> list[int]:
        """The processes it started: a worker's engine."""
        told = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in told.stdout.split()]

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it is still there."""
        send(self.pid, number)

    def kill(self) -> None:
        """Kill it with SIGKILL, and see it gone."""
        assert self._child
        self.past_engines |= set(self.children()) if self.kind == "worker" else set()
        self.send(signal.SIGKILL)
        self._child.wait()

    def pause(self) -> None:
        """Stop it in its tracks, as a machine does whose lid is closed."""
        self.is_paused = True
        self.send(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.is_paused = False
        self.send(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self.send(signal.SIGTERM)

    def end(self) -> None:
        """End it, by force where a word does not do."""
        if not self.is_alive:
            return
        assert self._child
        self.wake()
        self.ask_to_stop()
        try:
            self._child.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-2_000:] if self._log.exists() else ""


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def python(module: str, *flags: str) -> list[str]:
    """The command of a module of this checkout."""
    return [sys.executable, "-m", module, *flags]


def is_running(pid: int) -> bool:
    """Whether a process of this id runs; one that died and that nobody has asked after yet does not."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(told.stdout.strip()) and not told.stdout.strip().startswith("Z")
