"""What the system says that this process holds, and giving it back what is free: by system, and never an error.

MLX counts its own arrays only; tokenizers, grammars and the heap's holes are memory too.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STATM = Path("/proc/self/statm")
_RUSAGE_INFO_V0 = 0
# Of <malloc.h>, glibc's.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = (1 << 31) - 1
_LARGEST_ON_HEAP_BYTES = 32 << 20  # more is not allowed


class _RusageInfo(ctypes.Structure):
    """`struct rusage_info_v0` of <sys/resource.h>, on macOS."""

    _fields_ = (
        ("uuid", ctypes.c_uint8 * 16),
        ("user_time", ctypes.c_uint64),
        ("system_time", ctypes.c_uint64),
        ("pkg_idle_wkups", ctypes.c_uint64),
        ("interrupt_wkups", ctypes.c_uint64),
        ("pageins", ctypes.c_uint64),
        ("wired_size", ctypes.c_uint64),
        ("resident_size", ctypes.c_uint64),
        ("phys_footprint", ctypes.c_uint64),
        ("proc_start_abstime", ctypes.c_uint64),
        ("proc_exit_abstime", ctypes.c_uint64),
    )


def footprint_bytes(
    platform: str = sys.platform, *, statm: Path = _STATM, library: Callable[[], Any] = lambda: ctypes.CDLL(None)
) -> int:
    """Measure this process's footprint, on a system of this `sys.platform`; 0 where it can't be told.

    (`getrusage` is no way out: it knows the most that there ever was, which never becomes less.)
    """
    if platform == "linux":
        return _resident(statm)
    return _physical(library) if platform == "darwin" else 0


def keep_heap(library: Callable[[], Any] = lambda: ctypes.CDLL(None)) -> None:
    """Have the heap keep what is freed until `free_heap`.

    glibc's would give most of it back after each burst, and the next one takes it anew page by page: half a gigabyte
    for sixteen rows of a small model, a second of a virtual machine's time.
    """
    try:
        library().mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library().mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP_BYTES)
    except (OSError, AttributeError):
        return


def free_heap(library: Callable[[], Any] = lambda: ctypes.CDLL(None)) -> None:
    """Have the heap give its free pages back to the system, where its allocator would keep them: glibc's does."""
    try:
        library().malloc_trim(0)
    except (OSError, AttributeError):
        return


def _resident(statm: Path) -> int:
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _physical(library: Callable[[], Any]) -> int:
    """Ask for the physical footprint, what macOS itself judges processes by: Metal's buffers and swapped pages too."""
    info = _RusageInfo()
    try:
        is_told = library().proc_pid_rusage(os.getpid(), _RUSAGE_INFO_V0, ctypes.byref(info)) == 0
    except (OSError, AttributeError):
        return 0
    return int(info.phys_footprint) if is_told else 0
