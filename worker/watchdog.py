"""When an engine is to be killed for making no progress: a pure verdict, and the values that it looks at.

Liveness is tokens and prefill, never a thread that is alive. An engine that holds jobs and says nothing is given N
seconds, more where a long prompt is being read; one whose stats still come, but whose figures stand still, four times
as long, since its loop at least turns. The agent folds what it hears into a `Progress`, asks for a verdict, carries it
out through the supervisor, and looks again at the time that the verdict names.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from worker.engine.wire import AnyReply, Cached, Done, Error, HandedBack, Loading, Prefill, Ready, Started, Stats, Token


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long an engine may stand still."""

    silent_ms: int = 15_000  # nothing said with jobs in slots; a first step may compile kernels
    turning_factor: int = 4  # so many times as long while its stats come, but nothing moves
    loading_ms: int = 600_000  # no progress while loading: a large model from a slow disk says little
    # Prefill reports after each chunk, so no more than a chunk's time is granted for a prompt, however long.
    chunk_tokens: int = 2_048
    slowest_prefill_per_s: float = 10.0  # tokens, while none was measured: a CPU without a fast BLAS
    prefill_leeway: float = 10.0  # how many times slower than measured a chunk may be


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an engine's progress; times are ms of one monotonic clock."""

    heard_at_ms: int  # any line, or its start
    moved_at_ms: int  # a line that shows progress, or jobs given to an engine that had none
    is_ready: bool = False
    jobs: int = 0
    prompt_tokens: int = 0  # still to be read before some job's first token
    loaded: float | None = None
    loading_step: str = ""
    steps: int = 0
    unread_tokens: int = 0  # as the stats have it
    prefill_per_s: float = 0.0  # the last one measured above zero

    def holding(self, *, jobs: int, prompt_tokens: int, now_ms: int) -> "Progress":
        """Return the progress with these jobs in the engine; time in which it had none doesn't count against it."""
        moved_at_ms = self.moved_at_ms if self.jobs else now_ms
        heard_at_ms = self.heard_at_ms if self.jobs else now_ms
        return msgspec.structs.replace(
            self, jobs=jobs, prompt_tokens=prompt_tokens, moved_at_ms=moved_at_ms, heard_at_ms=heard_at_ms
        )

    def after(self, replies: Iterable[AnyReply], now_ms: int) -> "Progress":
        """Return the progress after the engine said these."""
        progress = self
        for reply in replies:
            progress = _heard(progress, reply, now_ms)
        return progress


class Verdict(msgspec.Struct, frozen=True):
    """Whether to kill, and for what; else when to look again, at the latest."""

    reason: str = ""
    again_at_ms: int | None = None  # None: not before something changes

    @property
    def is_kill(self) -> bool:
        """Tell whether the engine is to be killed."""
        return bool(self.reason)


def started(now_ms: int) -> Progress:
    """Return the progress of an engine that was started now."""
    return Progress(heard_at_ms=now_ms, moved_at_ms=now_ms)


def verdict(progress: Progress, now_ms: int, limits: Limits | None = None) -> Verdict:
    """Judge an engine by what it did, not by what it is; an engine without jobs is never guilty."""
    limits = limits or Limits()
    if not progress.is_ready:
        return _by(progress.moved_at_ms + limits.loading_ms, now_ms, "no progress while loading")
    if not progress.jobs:
        return Verdict()
    patience_ms = limits.silent_ms + _chunk_ms(progress, limits)
    silent = _by(progress.heard_at_ms + patience_ms, now_ms, "said nothing while it held jobs")
    stuck = _by(progress.moved_at_ms + patience_ms * limits.turning_factor, now_ms, "no token and no prefill")
    if silent.is_kill or stuck.is_kill:
        return silent if silent.is_kill else stuck
    return min(silent, stuck, key=lambda one: one.again_at_ms or 0)


def _by(end_ms: int, now_ms: int, reason: str) -> Verdict:
    return Verdict(reason=reason) if now_ms >= end_ms else Verdict(again_at_ms=end_ms)


def _chunk_ms(progress: Progress, limits: Limits) -> int:
    """Return how long the next prefill chunk may keep the engine from saying anything."""
    rate = progress.prefill_per_s / limits.prefill_leeway if progress.prefill_per_s else limits.slowest_prefill_per_s
    rate = max(rate, limits.slowest_prefill_per_s)
    return round(min(progress.prompt_tokens, limits.chunk_tokens) / rate * 1_000)


def _heard(progress: Progress, reply: AnyReply, now_ms: int) -> Progress:
    match reply:
        case Ready():
            return msgspec.structs.replace(progress, heard_at_ms=now_ms, moved_at_ms=now_ms, is_ready=True)
        case Loading():
            return _after_loading(progress, reply, now_ms)
        case Stats():
            return _after_stats(progress, reply, now_ms)
        case Cached():
            return msgspec.structs.replace(progress, heard_at_ms=now_ms)
        case Started() | Prefill() | Token() | Done() | Error() | HandedBack():
            return msgspec.structs.replace(progress, heard_at_ms=now_ms, moved_at_ms=now_ms)
    assert_never(reply)


def _after_loading(progress: Progress, loading: Loading, now_ms: int) -> Progress:
    has_moved = (loading.message, loading.progress) != (progress.loading_step, progress.loaded)
    return msgspec.structs.replace(
        progress,
        heard_at_ms=now_ms,
        moved_at_ms=now_ms if has_moved else progress.moved_at_ms,
        loading_step=loading.message,
        loaded=loading.progress,
    )


def _after_stats(progress: Progress, stats: Stats, now_ms: int) -> Progress:
    has_moved = stats.steps > progress.steps or stats.prefill_tokens < progress.unread_tokens
    return msgspec.structs.replace(
        progress,
        heard_at_ms=now_ms,
        moved_at_ms=now_ms if has_moved else progress.moved_at_ms,
        steps=stats.steps,
        unread_tokens=stats.prefill_tokens,
        prefill_per_s=stats.prefill_tokens_per_second or progress.prefill_per_s,
    )
