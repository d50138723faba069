"""The memory gauge: what the engine may have, what it holds, and how short that is; read a few times a second.

A reading costs some ten microseconds; a few of them a second are nothing beside steps of milliseconds.
"""

import time
from collections.abc import Callable

from . import device
from .pressure import SOFT, Pressure, pressure_of, to_spare

_EVERY_S = 0.25
# After so many readings of an engine with nothing to do what is free goes back to the system: hundreds of megabytes
# after a long prompt, which cost the next one some milliseconds.
_TIDY_AFTER = 4


class Gauge:
    """Knows the limit, and the last reading. One thread reads it."""

    def __init__(
        self,
        limit_bytes: int | None = None,
        *,
        used: Callable[[], int] = device.used_bytes,
        free: Callable[[], int | None] = device.free_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limit_bytes` is what the engine may have; None is all that the device has."""
        total_bytes = device.total_bytes()
        self.limit_bytes = min(limit_bytes or total_bytes, total_bytes)
        self.used_bytes = 0
        self.pressure: Pressure = ""
        self._used = used
        self._free = free
        self._clock = clock
        self._due_s = clock()
        self._idle_readings = 0

    @property
    def is_due(self) -> bool:
        """Whether the last reading is old."""
        return self._clock() >= self._due_s

    def read(self, spare: Callable[[int], None], *, is_idle: bool) -> None:
        """Read. Where that is much, `spare` lets go of so many bytes if it can, and of all that is free; then judge."""
        self._due_s = self._clock() + _EVERY_S
        self._idle_readings = self._idle_readings + 1 if is_idle else 0
        self.used_bytes = self._used()
        wanted_bytes = to_spare(self.used_bytes, self.limit_bytes)
        if wanted_bytes or self._idle_readings == _TIDY_AFTER:
            spare(wanted_bytes)
            self.used_bytes = self._used()
        self.pressure = pressure_of(self.used_bytes, self.limit_bytes, self.pressure)

    def room_bytes(self) -> int:
        """Measure what can be taken beside what is held, below the soft mark and without swapping."""
        rooms = [int(self.limit_bytes * SOFT) - self._used()]
        if (free := self._free()) is not None:
            rooms.append(int(free * SOFT))
        return max(0, min(rooms))
