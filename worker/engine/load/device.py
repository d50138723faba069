"""What MLX computes on in this process."""

import mlx.core as mx


def device() -> tuple[str, bool]:
    """Name the device, and tell whether it is the CPU."""
    default = mx.default_device()
    name = str(mx.device_info(default).get("device_name", "")) or str(default)
    return name, default.type == mx.DeviceType.cpu
