"""What a process holds, by its own count."""

import msgspec


class Census(msgspec.Struct, frozen=True):
    """Counts of one moment, garbage collected; None for what this system does not tell."""

    active_bytes: int  # of MLX's arrays
    cached_bytes: int  # of MLX's freed buffers
    heap_bytes: int | None  # that the C heap has given out
    hole_bytes: int | None  # that it holds besides, free for reuse
    buffers: int | None  # pieces of it that are so large that they stand by themselves, as arrays' are
    blocks: int  # that Python has given out, small ones
