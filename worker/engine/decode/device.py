"""The device, how much memory it has, and how much of it the engine may hold."""

import os
from pathlib import Path

import mlx.core as mx

from worker.engine.load.memory import available_bytes

from .admission import COPIES

_GIB = 1 << 30
# Part of the machine that weights, state and buffers may fill: beyond, a Mac swaps and Metal aborts.
_SHARE = 0.85


def limit_memory() -> None:
    """Bound what MLX keeps and takes. The memory limit is only a hint to it: what may join is decided in `admission`.

    The wired limit is left alone: setting it under concurrency has panicked macOS (mlx issue 3186).
    """
    total = total_bytes()
    mx.set_cache_limit(min(total // 16, 2 * _GIB))
    mx.set_memory_limit(int(total * _SHARE))


def is_gpu() -> bool:
    """Whether the model is computed on a device of its own, beside the host."""
    return mx.default_device().type != mx.DeviceType.cpu


def total_bytes() -> int:
    """The memory that the device shares or has, in bytes."""
    info = mx.device_info()
    for name in ("max_recommended_working_set_size", "memory_size", "total_memory"):
        if isinstance(size := info.get(name), int) and size > 0:
            return size
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def used_bytes() -> int:
    """What this process holds: by MLX's count or the system's, whichever is more."""
    return max(mx.get_active_memory() + mx.get_cache_memory(), _resident_bytes())


def kv_tokens(bytes_per_token: int) -> int | None:
    """How many tokens of state fit beside what is held now; None where a token takes nothing."""
    return room_bytes() // (bytes_per_token * COPIES) if bytes_per_token > 0 else None


def room_bytes() -> int:
    """How many bytes can be taken beside what is held now."""
    rooms = [int(total_bytes() * _SHARE) - mx.get_active_memory()]
    if not is_gpu() and (free := available_bytes()) is not None:
        rooms.append(int(free * _SHARE))
    return max(0, min(rooms))


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")  # Linux only; on a Mac MLX's own count is the better one
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
