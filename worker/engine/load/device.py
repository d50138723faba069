"""What MLX computes on in this process, and how much memory that has."""

import mlx.core as mx

from .memory import available_bytes, total_bytes


def device() -> tuple[str, bool]:
    """Name the device, and tell whether it is the CPU."""
    default = mx.default_device()
    name = str(mx.device_info(default).get("device_name", "")) or str(default)
    return name, default.type == mx.DeviceType.cpu


def memory() -> tuple[int | None, int | None]:
    """Measure the device's memory in bytes, in all and free; None for what it does not tell.

    A Mac tells only how much Metal takes, which `sysctl iogpu.wired_limit_mb` moves; the system makes room for that.
    """
    if mx.default_device().type == mx.DeviceType.cpu:
        return total_bytes(), available_bytes()
    info = mx.device_info()
    return _size(info, "max_recommended_working_set_size") or _size(info, "total_memory"), _size(info, "free_memory")


def _size(info: dict[str, str | int], name: str) -> int | None:
    size = info.get(name)
    return size if isinstance(size, int) and size > 0 else None
