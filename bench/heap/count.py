"""Counting what this process holds."""

import ctypes
import gc
import sys
from typing import Any

import mlx.core as mx

from .census import Census


def take_census() -> Census:
    """Count."""
    gc.collect()
    heap = _heap()
    return Census(
        active_bytes=mx.get_active_memory(),
        cached_bytes=mx.get_cache_memory(),
        heap_bytes=heap and heap.uordblks + heap.hblkhd,
        hole_bytes=heap and heap.fordblks,
        buffers=heap and heap.hblks,
        blocks=sys.getallocatedblocks(),
    )


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc's <malloc.h>."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _heap() -> Any:
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return None
    ask.restype = _Mallinfo
    return ask()
