"""The engine's one loop: load, then take in, write, step, for ever. The only place that looks at the clock."""

import time

import msgspec

from worker.engine.pipe import Pipe, Taken
from worker.engine.wire import Cancel, Error, Generate, Hold, Loading, Ready, Stats, encode_line

from .batch import Batch
from .faults import strike
from .settings import Settings

_NS_PER_S = 1_000_000_000
_LOADING_LINES = 10
# A loop that was held up (a full pipe, a stopped process) catches up by so much and forgets the rest.
_MAX_LAG_NS = _NS_PER_S // 10


class Loop:
    """Runs a batch between a pipe's two ends, with one write a step."""

    def __init__(self, settings: Settings, pipe: Pipe) -> None:
        self._settings = settings
        self._pipe = pipe
        self._batch = Batch(settings)
        self._rates = _Rates()
        self._has_op_peer = False
        self._is_at_eof = False
        self._held_until_ns = 0

    def load(self) -> None:
        """Take `load_ms`, telling of the progress, then be ready."""
        settings = self._settings
        for part in range(_LOADING_LINES if settings.load_ms else 1):
            self._pipe.write(encode_line(Loading(message="loading the script", progress=part / _LOADING_LINES)))
            if settings.fault is not None and settings.fault.at == 0:
                self._pipe.write(strike(settings.fault.kind))
            time.sleep(settings.load_ms / _LOADING_LINES / 1_000)
        ready = Ready(
            model=settings.model,
            slots=settings.slots,
            context_tokens=settings.context_tokens,
            fingerprint=settings.fingerprint,
            device="none",
            note="scripted: ids are hashes, there is no model",
        )
        self._pipe.write(encode_line(ready))

    def serve(self) -> None:
        """Answer until the input ends. A step's lines are written when its time is over, with what came meanwhile."""
        lines = b""
        deadline_ns = time.monotonic_ns()
        while not (self._is_at_eof and self._batch.is_idle and not lines):
            lines += self._take_in(may_wait=self._is_still and not lines)
            now_ns = time.monotonic_ns()
            lines += (b"" if self._is_held else self._batch.admit(now_ns)) + self._news() + self._stats(now_ns)
            if lines:
                self._pipe.write(lines)
            lines = b""
            if self._is_still:
                deadline_ns = now_ns
                continue
            step = self._batch.step(now_ns)
            lines = step.lines + self._strike()
            deadline_ns = _sleep_until(max(deadline_ns, now_ns - _MAX_LAG_NS) + step.takes_ns)

    @property
    def _is_held(self) -> bool:
        return time.monotonic_ns() < self._held_until_ns

    @property
    def _is_still(self) -> bool:
        return self._is_held or self._batch.is_idle

    def _take_in(self, *, may_wait: bool) -> bytes:
        """Take in all that is queued; with `may_wait`, wait for the first of it until the next stats are due."""
        patience_s: float | None = 0
        if may_wait and not self._is_at_eof:
            patience_s = self._rates.due_in_s(time.monotonic_ns()) if self._has_op_peer else None
        return b"".join(map(self._obey, self._pipe.take(patience_s=patience_s)))

    def _obey(self, taken: Taken) -> bytes:
        self._has_op_peer = self._has_op_peer or taken.has_op
        match taken.request:
            case None:
                self._is_at_eof = True
                return b""
            case Error() as error:
                return encode_line(error)
            case Cancel(id=request_id):
                self._batch.cancel(request_id)
                return b""
            case Hold(for_ms=for_ms):
                self._held_until_ns = time.monotonic_ns() + for_ms * 1_000_000
                return b""
            case Generate() as ask:
                return self._batch.take(ask, is_by_hand=not taken.has_op, now_ns=time.monotonic_ns())

    def _news(self) -> bytes:
        return self._batch.news() if self._has_op_peer else b""

    def _stats(self, now_ns: int) -> bytes:
        if not self._has_op_peer or self._rates.due_in_s(now_ns) > 0:
            return b""
        return encode_line(self._rates.over(self._batch, now_ns))

    def _strike(self) -> bytes:
        fault = self._settings.fault
        return strike(fault.kind) if fault is not None and fault.at == self._batch.steps else b""


class _Rates:
    """When stats are due, and the counters as they were at the last."""

    def __init__(self) -> None:
        self._at_ns = time.monotonic_ns()
        self._tokens = 0

    def due_in_s(self, now_ns: int) -> float:
        return max(0, self._at_ns + _NS_PER_S - now_ns) / _NS_PER_S

    def over(self, batch: Batch, now_ns: int) -> Stats:
        """Return the stats since the last call."""
        seconds = (now_ns - self._at_ns) / _NS_PER_S
        stats = msgspec.structs.replace(
            batch.stats(),
            tokens_per_second=round((batch.tokens - self._tokens) / seconds, 1),
        )
        self._at_ns, self._tokens = now_ns, batch.tokens
        return stats


def _sleep_until(deadline_ns: int) -> int:
    """Sleep to a deadline, and return it: the next one counts from there, so the pace has no drift."""
    left_ns = deadline_ns - time.monotonic_ns()
    if left_ns > 0:
        time.sleep(left_ns / _NS_PER_S)
    return deadline_ns
