"""How one job's stream goes for the client that submitted it: when its tokens come, and how it ends.

What a token costs here is a clock and a few numbers; the figures are told at the first token and at the end.
"""

import time
from collections import deque
from collections.abc import Sequence

from shared.errors import PoolError
from shared.event import TERMINAL, Cancelled, Done, Error, Started

from .delivery import Delivery
from .metrics.distribution import Distribution
from .metrics.figures import CANCELLED, PER_TOKEN_S, Failure, Figures, Kind


class Course:
    """One job's way to its client, from the request's receipt on; times are this process's monotonic seconds."""

    __slots__ = (
        *("_failures", "_figures", "_gap_s", "_last_at_s"),
        *("began_at_s", "end", "first_at_s", "job_id", "kind", "tokens", "wait_s"),
    )

    def __init__(
        self, job_id: str, kind: Kind, figures: Figures, began_at_s: float, failures: deque[Failure] | None = None
    ) -> None:
        self.job_id = job_id
        self.kind = kind
        self.began_at_s = began_at_s
        self.first_at_s: float | None = None
        self.wait_s: Distribution | None = None  # where its wait is to be counted, once it is over
        self.end: Done | Cancelled | Error | None = None
        self.tokens = 0
        self._figures = figures
        self._failures = failures
        self._last_at_s = 0.0
        self._gap_s = Distribution(PER_TOKEN_S)

    def note(self, deliveries: Sequence[Delivery]) -> None:
        """Note what the client is given now."""
        now_s = time.monotonic()
        last = deliveries[-1]
        if self.wait_s is not None and any(isinstance(delivery.event, Started) for delivery in deliveries):
            self.wait_s.add(now_s - self.began_at_s)
            self.wait_s = None
        if (new := last.ids - self.tokens) > 0:
            self._note_tokens(new, now_s)
        if isinstance(last.event, TERMINAL):
            self._finish(last.event, now_s)

    def leave(self, error: PoolError | None) -> None:
        """Note that nobody follows the job any more, which is not to go on then; `error`: its stream failed here."""
        if self.end is None:
            end = Error(code=error.code, message=error.message) if error else Cancelled()
            self._finish(end, time.monotonic())

    def _note_tokens(self, count: int, now_s: float) -> None:
        self.tokens += count
        self._figures.tokens_seen += count
        if self.first_at_s is None:
            self.first_at_s = now_s
            self._figures.first_token_s.add(now_s - self.began_at_s)
        else:
            self._gap_s.add(now_s - self._last_at_s)
        self._last_at_s = now_s

    def _finish(self, end: Done | Cancelled | Error, now_s: float) -> None:
        self.end = end
        figures = self._figures
        figures.gap_s.merge(self._gap_s)
        match end:
            case Done():
                figures.done(end)
                if self.first_at_s is not None and self.tokens > 1:
                    figures.per_token_s.add((self._last_at_s - self.first_at_s) / (self.tokens - 1))
                reason, error = ("length" if end.reason == "length" else "stop"), ""
            case Cancelled():
                if end.usage:
                    figures.use(end.usage)
                reason, error = "abort", CANCELLED
            case Error():
                reason, error = "error", end.code
                if self._failures is not None:
                    self._failures.append(Failure(_wall_ms(), self.job_id, self.kind.model, end.code))
        figures.ends[reason] += 1
        figures.duration_s[error].add(now_s - self.began_at_s)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
