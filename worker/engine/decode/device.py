"""The device, how much memory it has and this process holds of it, and what MLX is told of that."""

import os

import mlx.core as mx

from worker.engine.load.device import memory

from .footprint import footprint_bytes, free_heap, keep_heap
from .pressure import SOFT

_GIB = 1 << 30


def limit_memory(limit_bytes: int, *, wired_bytes: int | None = None) -> None:
    """Bound what MLX keeps and takes. The memory limit is only a hint to it: what may join is decided in `admission`.

    The wired limit is left alone unless it is asked for: setting it under load, with caches coming and going, has
    panicked macOS's kernel within minutes (mlx issue 3186), and without it never. It helps a model that is nearly as
    large as the memory, whose weights macOS would else page out.
    """
    if is_gpu():
        mx.set_cache_limit(min(limit_bytes // 16, 2 * _GIB))
    else:
        # The heap reuses what is freed for any size; MLX's own pool for the same only, and lengths grow with each step.
        mx.set_cache_limit(0)
        keep_heap()
    mx.set_memory_limit(int(limit_bytes * SOFT))
    if wired_bytes is not None and mx.metal.is_available():
        mx.set_wired_limit(wired_bytes)


def is_gpu() -> bool:
    """Whether the model is computed on a device of its own, beside the host."""
    return mx.default_device().type != mx.DeviceType.cpu


def total_bytes() -> int:
    """The memory that the device shares or has, in bytes; a container's where that is less."""
    total, _ = memory()
    return total or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def free_bytes() -> int | None:
    """What can be taken without swapping; None where nobody can tell."""
    return memory()[1]


def used_bytes() -> int:
    """What this process holds of the device's memory: by MLX's count or the system's, whichever is more."""
    counted = mx.get_active_memory() + mx.get_cache_memory()
    # A card's memory is not the host's.
    return max(counted, footprint_bytes()) if not is_gpu() or mx.metal.is_available() else counted


def free_buffers() -> None:
    """Give back what is held for reuse: MLX's freed buffers, and the heap's free pages."""
    mx.clear_cache()
    free_heap()
