"""What Redis refuses this worker, told to its operator: whoever asks tries again for ever, since it may pass.

Rights of an earlier version (`mlx-pool acl`), a replica, a full memory: without a word it would only stand idle.
"""

import time

import structlog

TELL_AGAIN_S = 60.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Refusals:
    """Logs what is refused: each kind once a minute, however often it is asked for."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}

    def hear(self, said: str, now_s: float | None = None) -> None:
        """Take in an answer of Redis's."""
        now = time.monotonic() if now_s is None else now_s
        kind = said[:200]
        if now - self._told_at.get(kind, -TELL_AGAIN_S) >= TELL_AGAIN_S:
            self._told_at = {each: at for each, at in self._told_at.items() if now - at < TELL_AGAIN_S} | {kind: now}
            _log.error("redis_refuses", reason=said)
