"""Processes that may not be our children: who they are, whether they live, and how they are ended.

A pid alone names nobody, since the system gives it out again; a pid with its start time does. Each part leads a process
group of its own, so what it started itself (a worker's engine) is reached too.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

_LOOK_EVERY_S = 0.05


class Identity(msgspec.Struct, frozen=True):
    """One run of a process: no other one, before or after, is equal to it."""

    pid: int
    started: str


def identity_of(pid: int, *, system: str = sys.platform) -> Identity | None:
    """Name the process that has this pid now, or None when none lives; a zombie does not live."""
    started = _started_from_proc(pid) if system == "linux" else _started_from_ps(pid)
    return None if started is None else Identity(pid, started)


def is_alive(identity: Identity) -> bool:
    """Tell whether that very process lives."""
    return identity_of(identity.pid) == identity


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the group that this process leads or led; a group that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(pid, number)


def end(identity: Identity, limit_s: float) -> None:
    """End a process and its group: asked first, and killed when the limit has passed. Blocks until it is gone."""
    if not is_alive(identity):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, signal.SIGTERM)
    if not _is_gone_within(identity, limit_s):
        signal_group(identity.pid, signal.SIGKILL)
        _is_gone_within(identity, limit_s)
    signal_group(identity.pid, signal.SIGKILL)


def _is_gone_within(identity: Identity, limit_s: float) -> bool:
    # Who is not our child can't be waited for in one way on every system, so this one wait looks again and again.
    deadline = time.monotonic() + limit_s
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _started_from_proc(pid: int) -> str | None:
    # proc(5): after the command's name in parentheses, which may hold anything, come the state and, as the line's 22nd
    # field, the start in ticks since boot; the boot's own id makes it unlike that of an earlier boot.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _started_from_ps(pid: int) -> str | None:
    answer = subprocess.run(  # noqa: S603 -- a fixed command and a number
        # Each with an option of its own: where a heading may hold commas, `stat=,lstart=` asks for one column only.
        ["/bin/ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
