"""When to look at a job's record, since nothing was heard on its channel; decided on values alone.

A stream whose tokens come slowly is not silent between two of them: it is given twice the time that the last one took.
"""

PATIENCE_S = (0.5, 1.0, 2.0, 4.0, 5.0)  # silence before each look; the last one repeats
MOST_FIRST_S = 2.5  # before the first look at a slow stream
SIGN_EVERY_S = 10.0  # of life, for a client that hears nothing else
GIVE_UP_AFTER_S = 60.0  # with Redis away for so long the client is told, and may come back for the rest


class Silence:
    """How long one job's channel has been silent. Times are seconds of any one clock that does not step."""

    __slots__ = ("_answered_at", "_heard_at", "_looks", "look_at", "sign_at")

    def __init__(self, now_s: float) -> None:
        self._looks = 0
        self._heard_at: float | None = None
        self._answered_at = now_s
        self.look_at = now_s + PATIENCE_S[0]
        self.sign_at = now_s + SIGN_EVERY_S

    def is_hopeless(self, now_s: float) -> bool:
        """Whether Redis has been away for too long to let the client wait on."""
        return now_s - self._answered_at >= GIVE_UP_AFTER_S

    def end(self, now_s: float) -> None:
        """Note that something was heard."""
        pause_s = 0.0 if self._heard_at is None else now_s - self._heard_at
        self._looks = 0
        self._heard_at = self._answered_at = now_s
        self.look_at = now_s + min(MOST_FIRST_S, max(PATIENCE_S[0], 2 * pause_s))
        self.sign_at = now_s + SIGN_EVERY_S

    def look(self, now_s: float, *, has_answer: bool) -> None:
        """Note a look, and wait longer for the next."""
        self._looks = min(self._looks + 1, len(PATIENCE_S) - 1)
        self.look_at = now_s + PATIENCE_S[self._looks]
        if has_answer:
            self._answered_at = now_s

    def sign(self, now_s: float) -> None:
        """Note that the client was given a sign of life."""
        self.sign_at = now_s + SIGN_EVERY_S
