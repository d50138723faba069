"""The memory gauge: what the engine may have, what it holds, and how short that is; read a few times a second.

A reading costs some ten microseconds; a few of them a second are nothing beside steps of milliseconds.
"""

import time
from collections.abc import Callable

from . import device
from .pressure import SOFT, Pressure, pressure_of, to_spare

_EVERY_S = 0.25
# When an engine has had nothing to do for so long, what is free goes back to the system: hundreds of megabytes after a
# burst, which cost the next one up to a second, page by page. At once where no more than this share is free for others.
_TIDY_AFTER_S = 60.0
_SCARCE = 1 / 8


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
        self._idle_since_s: float | None = None
        self._is_tidy = False

    @property
    def is_due(self) -> bool:
        """Whether the last reading is old."""
        return self._clock() >= self._due_s

    def read(self, spare: Callable[[int], None], *, is_idle: bool) -> None:
        """Read. Where that is much, `spare` lets go of what is free, then of so many bytes if it can; then judge."""
        self._due_s = self._clock() + _EVERY_S
        self._is_tidy = self._is_tidy and is_idle
        self.used_bytes = self._used()
        if to_spare(self.used_bytes, self.limit_bytes) or self._is_to_tidy(is_idle=is_idle):
            self._is_tidy = is_idle
            spare(0)
            self.used_bytes = self._used()
            if wanted_bytes := to_spare(self.used_bytes, self.limit_bytes):
                spare(wanted_bytes)
                self.used_bytes = self._used()
        self.pressure = pressure_of(self.used_bytes, self.limit_bytes, self.pressure)

    def room_bytes(self) -> int:
        """Measure what can be taken beside what is held, below the soft mark and without swapping."""
        rooms = [int(self.limit_bytes * SOFT) - self._used()]
        if (free := self._free()) is not None:
            rooms.append(int(free * SOFT))
        return max(0, min(rooms))

    def _is_to_tidy(self, *, is_idle: bool) -> bool:
        """Whether what is free should go back now: once in each rest."""
        if not is_idle:
            self._idle_since_s = None
            return False
        now_s = self._clock()
        self._idle_since_s = now_s if self._idle_since_s is None else self._idle_since_s
        return not self._is_tidy and (now_s - self._idle_since_s >= _TIDY_AFTER_S or self._is_scarce())

    def _is_scarce(self) -> bool:
        free = self._free()
        return free is not None and free < self.limit_bytes * _SCARCE
