"""Stands for systemctl and journalctl where there is no systemd: keeps a unit of mlx-pool's alive, as the unit says.

`python systemctl.py systemctl --user VERB LABEL`; its own files lie beside the unit.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

UNITS = Path.home() / ".config/systemd/user"
AGAIN_S = 0.3


def main(tool: str, *argv: str) -> int:
    """Do what systemctl would; journalctl shows a unit's log."""
    label = next((word.removeprefix("--user-unit=") for word in reversed(argv) if word.endswith(".service")), "")
    if tool == "journalctl":
        sys.stdout.write(_beside(label, "log").read_text())
        return 0
    verb = next(word for word in argv if not word.startswith("--"))
    if verb == "keep":
        return keep(label)
    if verb in {"stop", "restart", "disable"}:
        stop(label)
    if verb in {"start", "restart"}:
        _beside(label, "failed").unlink(missing_ok=True)
        subprocess.Popen(
            [sys.executable, __file__, "systemctl", "keep", label],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until(lambda: _pid(label, "main") or _beside(label, "failed").exists())
    if verb == "show":
        pid = _pid(label, "main")
        state = "failed" if _beside(label, "failed").exists() else "active" if pid else "inactive"
        sys.stdout.write(f"ActiveState={state}\nMainPID={pid}\nExecMainStatus=0\nResult=exit-code\n")
    return 0


def keep(label: str) -> int:
    """Start it again whenever it ends, until this process is told to end it."""
    unit = (UNITS / label).read_text()
    argv, env_file = (re.findall(f"^{name}=(.*)$", unit, re.MULTILINE)[0] for name in ("ExecStart", "EnvironmentFile"))
    words = (word.partition("=") for word in shlex.split(Path(env_file).read_text()))
    told = {name: value for name, _, value in words}
    is_over = False

    def end(*_: object) -> None:
        nonlocal is_over
        is_over = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(_pid(label, "main"), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    _beside(label, "keeper").write_text(str(os.getpid()))
    while not is_over:
        with _beside(label, "log").open("ab") as log:
            process = subprocess.Popen(shlex.split(argv), env=os.environ | told, stdout=log, stderr=log)
        _beside(label, "main").write_text(str(process.pid))
        code = process.wait()
        _beside(label, "main").unlink()
        if code == 2:
            _beside(label, "failed").touch()
            break
        time.sleep(AGAIN_S)
    _beside(label, "keeper").unlink()
    return 0


def stop(label: str) -> None:
    """End what keeps it, which ends it."""
    if pid := _pid(label, "keeper"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _until(lambda: not _beside(label, "keeper").exists())


def _beside(label: str, what: str) -> Path:
    return UNITS / f"{label}.{what}"


def _pid(label: str, what: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(_beside(label, what).read_text())
    return 0


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        if time.monotonic() > deadline:
            sys.exit("systemctl: not in time")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
