"""What a process has used: CPU time of all its threads, and memory."""

import subprocess
import sys
import time
from pathlib import Path

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """CPU seconds since the process's start, its memory now, and the most it ever had (macOS: now), in bytes."""

    cpu_s: float
    resident_bytes: int
    peak_bytes: int


def usage_of(pid: int) -> Usage:
    """Ask the kernel about a process of ours.

    Raises:
        ProcessLookupError: it is gone.

    """
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> Usage:
    # A process's CPU clock counts nanoseconds, /proc/PID/stat hundredths of a second. The clock's number is the
    # kernel's CPUCLOCK_SCHED of that pid (clock_getcpuclockid(3), which Python does not have).
    try:
        cpu_s = time.clock_gettime((~pid) << 3 | 2)
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError as error:
        raise ProcessLookupError(pid) from error
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return Usage(cpu_s, _kib(fields["VmRSS"]), _kib(fields["VmHWM"]))


def _from_ps(pid: int) -> Usage:
    told = subprocess.run(
        ["ps", "-o", "time=,rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    if not told.strip():
        raise ProcessLookupError(pid)
    used, rss = told.split()
    resident = int(rss) * 1_024
    return Usage(_seconds(used), resident, resident)


def _kib(field: str) -> int:
    return int(field.split(maxsplit=1)[0]) * 1_024


def _seconds(clock: str) -> float:
    total = 0.0
    for part in clock.replace("-", ":").split(":"):  # [[dd-]hh:]mm:ss.cc
        total = total * 60 + float(part)
    return total
