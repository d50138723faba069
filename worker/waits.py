"""How long the jobs of the last minute waited that were taken here, by class and size, to be told with each beat."""

import math
from collections import deque

from shared.claims import Claimed
from shared.keys import CLASSES
from shared.outline import tokens_in
from shared.standing import SHARES, jobs_before_new
from shared.waits import Waited, encode_waits, key_of, merged

WINDOW_S = 60.0
MOST = 512  # jobs; of more in a minute the last ones say enough
# Taken sooner, a job found a free seat: that says nothing of how long one waits that finds none.
HAD_TO_WAIT_MS = 100


class Waits:
    """What was taken of late."""

    def __init__(self) -> None:
        self._taken: deque[tuple[float, str, Waited]] = deque(maxlen=MOST)
        self._begun_s = -math.inf

    def begin(self, now_s: float) -> None:
        """Note that this worker is ready from now on: what came before then waited for that, too."""
        self._begun_s = now_s

    def add(self, claimed: Claimed, now_s: float) -> None:
        """Note a job that was taken now."""
        came_s = now_s - (claimed.now_ms - claimed.enqueued_at_ms) / 1_000
        if came_s >= self._begun_s and (waited := waited_by(claimed)) is not None:
            key = key_of(claimed.entry.partition(":")[0], tokens_in(claimed.outline))
            self._taken.append((now_s, key, waited))

    def told(self, now_s: float) -> str:
        """What of it is told: the last minute's, "" if nothing is."""
        while self._taken and now_s - self._taken[0][0] >= WINDOW_S:
            self._taken.popleft()
        return encode_waits(merged({key: waited} for _, key, waited in self._taken))


def waited_by(claimed: Claimed) -> Waited | None:
    """How long a job waited, and its place when it came; None where that says nothing of others.

    So it is with one that runs again, that came when nobody counted, or that found a free seat.
    """
    job_class = claimed.entry.partition(":")[0]
    wait_ms = claimed.now_ms - claimed.enqueued_at_ms
    if claimed.attempt != 1 or job_class not in SHARES or not claimed.found or wait_ms < HAD_TO_WAIT_MS:
        return None
    place = jobs_before_new(job_class, dict(zip(CLASSES, claimed.found, strict=False))) + 1
    return Waited(1, wait_ms, place)
