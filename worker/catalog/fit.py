"""What fits this machine: a decision on two sizes, and the size of the machine."""

import os
import subprocess
import sys
from typing import Literal

Fit = Literal["fits", "tight", "too large"]

# Metal lets a process wire about three quarters of a Mac's memory; elsewhere the rest is for the system and the pool.
_COMFORTABLE, _POSSIBLE = 0.5, 0.75


def fits(needed_mb: int, *, memory_mb: int | None) -> Fit | None:
    """Judge a model by the memory it needs; None where the machine's memory is not known.

    `tight` means that it runs, but with little room for context and for other programs.
    """
    if memory_mb is None:
        return None
    if needed_mb <= memory_mb * _COMFORTABLE:
        return "fits"
    return "tight" if needed_mb <= memory_mb * _POSSIBLE else "too large"


def machine_memory_mb() -> int | None:
    """Measure this machine's memory, which a GPU of Apple's shares; None where it can't be told."""
    try:
        if sys.platform == "darwin":
            told = subprocess.run(["/usr/sbin/sysctl", "-n", "hw.memsize"], capture_output=True, check=True, timeout=5)
            return int(told.stdout) // 2**20
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
