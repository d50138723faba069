"""The shelf: the models of one machine, loaded or not, and the memory that they share.

`arrangement` decides on values; here they are gathered, and what was decided is told to the models' stands. A service
carries it out: it alone starts and ends its engine. One event loop owns all of it.
"""

import asyncio
import math
import time
from collections.abc import Sequence

import structlog

from .arrangement import Arrangement, Resident, Rules, Want, arrange, room_in_s
from .stand import Stand

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Shelf:
    """All stands of one machine."""

    def __init__(self, stands: Sequence[Stand], rules: Rules) -> None:
        self._stands = stands
        self._rules = rules
        self._changed = asyncio.Event()
        for stand in stands:
            stand.be_kept_by(self)

    def touch(self) -> None:
        """Decide anew: something changed."""
        self._changed.set()

    def room_in_s(self, want: Want) -> float:
        """How long it takes until there is room for it, about."""
        return room_in_s(want, self._residents(), self._rules, time.monotonic())

    async def run(self) -> None:
        """Decide for ever: at each change, and when the last decision says."""
        while True:
            self._changed.clear()
            wants = [want for stand in self._stands if (want := stand.wanted())]
            decided = arrange(self._residents(), wants, self._rules, time.monotonic())
            for stand in self._stands:
                _tell(stand, decided, wants)
            again_at_s = decided.again_at_s
            left_s = None if math.isinf(again_at_s) else max(0.001, again_at_s - time.monotonic())
            try:
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _residents(self) -> list[Resident]:
        return [one for stand in self._stands if (one := stand.resident())]


def _tell(stand: Stand, decided: Arrangement, wants: Sequence[Want]) -> None:
    """Tell a model what was decided of it; one that leaves takes no jobs either."""
    state = stand.state
    if stand.queue in decided.load:
        state = "due"
    elif stand.queue in decided.unload:
        state = "leaving"
    is_yielding = stand.queue in decided.yielding or state == "leaving"
    if is_yielding and not stand.is_yielding:
        _log.info("model_gives_way", model=stand.queue, wanted=[want.queue for want in wants])
    stand.obey(state, is_yielding=is_yielding, is_making_room=stand.queue in decided.room_for)
