"""When to look at a job's record, since nothing was heard on its channel; decided on values alone."""

PATIENCE_S = (0.5, 1.0, 2.0, 4.0, 5.0)  # silence before each look; the last one repeats
GIVE_UP_AFTER_S = 60.0  # with Redis away for so long the client is told, and may come back for the rest


class Silence:
    """How long one job's channel has been silent. Times are seconds of any one clock that does not step."""

    __slots__ = ("_answered_at", "_broken_at", "_looks")

    def __init__(self, now_s: float) -> None:
        self._looks = 0
        self._broken_at = now_s  # by an event, or by a look
        self._answered_at = now_s

    def is_long(self, now_s: float) -> bool:
        """Whether it is time to look."""
        return now_s - self._broken_at >= PATIENCE_S[min(self._looks, len(PATIENCE_S) - 1)]

    def is_hopeless(self, now_s: float) -> bool:
        """Whether Redis has been away for too long to let the client wait on."""
        return now_s - self._answered_at >= GIVE_UP_AFTER_S

    def end(self, now_s: float) -> None:
        """Note that something was heard."""
        self._looks = 0
        self._broken_at = self._answered_at = now_s

    def look(self, now_s: float, *, has_answer: bool) -> None:
        """Note a look, and wait longer for the next."""
        self._looks += 1
        self._broken_at = now_s
        if has_answer:
            self._answered_at = now_s
