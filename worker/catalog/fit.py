"""What fits this machine: a decision on sizes, and the size of the machine."""

import os
import subprocess
import sys
from typing import Literal

import msgspec

Fit = Literal["fits", "tight", "too large", "disk full"]

# Metal lets a process wire about three quarters of a Mac's memory; elsewhere the rest is for the system and the pool.
_COMFORTABLE, _POSSIBLE = 0.5, 0.75
_MB = 1_000_000


class Machine(msgspec.Struct, frozen=True):
    """How much there is in all, and free on the disk for models; None where it can't be told."""

    memory_mb: int | None = None
    disk_mb: int | None = None


def judge(needed_mb: int | None, disk_mb: int | None, machine: Machine) -> Fit | None:
    """Judge a model by the memory it needs and by what is still to be written; None stands for not known."""
    if disk_mb is not None and machine.disk_mb is not None and disk_mb > machine.disk_mb:
        return "disk full"
    return None if needed_mb is None else fits(needed_mb, memory_mb=machine.memory_mb)


def fits(needed_mb: int, *, memory_mb: int | None) -> Fit | None:
    """Judge a model by the memory it needs; None where the machine's memory is not known.

    `tight` means that it runs, but with little room for context and for other programs.
    """
    if memory_mb is None:
        return None
    if needed_mb <= memory_mb * _COMFORTABLE:
        return "fits"
    return "tight" if needed_mb <= memory_mb * _POSSIBLE else "too large"


def possible_mb(memory_mb: int | None) -> int | None:
    """Tell what models may fill of this much memory; None where it is not known."""
    return None if memory_mb is None else int(memory_mb * _POSSIBLE)


def machine_memory_mb() -> int | None:
    """Measure this machine's memory, which a GPU of Apple's shares; None where it can't be told."""
    try:
        if sys.platform == "darwin":
            told = subprocess.run(["/usr/sbin/sysctl", "-n", "hw.memsize"], capture_output=True, check=True, timeout=5)
            return int(told.stdout) // _MB
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
