"""The watchdog's verdict: an engine is judged by tokens and prefill, in the time that its prompts need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event import Usage
from worker.engine.wire import AnyReply, Cached, Done, Error, Loading, Prefill, Ready, Started, Stats, Token
from worker.watchdog import Limits, Progress, started, verdict

LIMITS = Limits(silent_ms=10_000, turning_factor=4, loading_ms=60_000, chunk_tokens=1_000)
READY = Ready(model="m", slots=4, context_tokens=100, fingerprint="f")


def working(*, prompt_tokens: int = 0, at_ms: int = 0) -> Progress:
    """A ready engine that was given a job just now."""
    return started(0).after([READY], 0).holding(jobs=1, prompt_tokens=prompt_tokens, now_ms=at_ms)


def end_of(progress: Progress, now_ms: int) -> int:
    """When the engine will be killed if nothing more is heard."""
    again_at_ms = verdict(progress, now_ms, LIMITS).again_at_ms
    assert again_at_ms is not None
    return again_at_ms


def test_silence_with_jobs_is_a_kill() -> None:
    """An engine that holds jobs and says nothing for N seconds is killed, and not a moment earlier."""
    progress = working()

    assert not verdict(progress, 9_999, LIMITS).is_kill
    assert verdict(progress, 10_000, LIMITS).is_kill


def test_an_engine_without_jobs_is_never_guilty() -> None:
    """Idle time is nobody's fault, and doesn't count when a job comes at last."""
    idle = started(0).after([READY], 0)
    given_late = idle.holding(jobs=1, prompt_tokens=0, now_ms=10**9)

    assert verdict(idle, 10**9, LIMITS) == verdict(idle, 0, LIMITS)
    assert not verdict(idle, 10**9, LIMITS).is_kill
    assert end_of(given_late, 10**9) == 10**9 + 10_000


@pytest.mark.parametrize(
    "reply",
    [
        Started(id="0", prompt_tokens=9, prompt_hash="h"),
        Prefill(id="0", done=1, total=9),
        Token(id="0", tokens=[1]),
        Done(id="0", reason="stop", usage=Usage(9, 9)),
        Error(id="0", code="internal", message=""),
        Stats(slots=4, busy=1, steps=1),
    ],
)
def test_progress_buys_time(reply: AnyReply) -> None:
    """Whatever shows that work went on starts the clock anew."""
    progress = working().after([reply], 9_000)

    assert end_of(progress, 9_000) == 19_000


@pytest.mark.parametrize("reply", [Stats(slots=4, busy=1), Cached(evicted=["a"])])
def test_stats_that_stand_still_buy_only_so_much(reply: AnyReply) -> None:
    """A loop that turns without a step or a prompt token read is given four times as long, then killed as well."""
    progress = working()
    for now_ms in range(0, 40_000, 1_000):
        progress = progress.after([reply], now_ms)
        assert not verdict(progress, now_ms, LIMITS).is_kill

    judged = verdict(progress.after([reply], 40_000), 40_000, LIMITS)

    assert judged.reason == "no token and no prefill"


def test_a_long_prompt_buys_time_up_to_one_chunk() -> None:
    """Unread prompt tokens lengthen the wait by the slowest machine's rate, but by no more than one chunk's time."""
    assert end_of(working(prompt_tokens=100), 0) == 10_000 + 10_000
    assert end_of(working(prompt_tokens=1_000), 0) == end_of(working(prompt_tokens=100_000), 0) == 10_000 + 100_000


def test_a_quick_engine_gets_less_time_for_a_prompt() -> None:
    """Once its prefill rate was measured, an engine may be ten times slower than that, not as slow as any machine."""
    measured = working(prompt_tokens=1_000).after([Stats(slots=4, busy=1, prefill_tokens_per_second=2_000)], 0)
    idle_since = measured.after([Stats(slots=4, busy=1)], 0)

    assert end_of(idle_since, 0) == end_of(measured, 0) == 10_000 + 5_000


def test_a_rate_below_the_slowest_buys_no_more_time() -> None:
    """What an engine measured while its machine swapped must not keep it alive for hours."""
    measured = working(prompt_tokens=1_000).after([Stats(slots=4, busy=1, prefill_tokens_per_second=1)], 0)

    assert end_of(measured, 0) == end_of(working(prompt_tokens=1_000), 0)


def test_a_prompt_that_is_read_on_is_progress() -> None:
    """Between two reports of its prefill the stats alone tell that work goes on: fewer tokens are unread."""
    progress = working().after([Stats(slots=4, busy=1, prefill_tokens=9_000)], 1_000)
    for second in range(2, 60):
        progress = progress.after([Stats(slots=4, busy=1, prefill_tokens=9_000 - second)], second * 1_000)

    assert not verdict(progress, 60_000, LIMITS).is_kill


def test_a_next_step_of_loading_is_progress() -> None:
    """The weights are there, and something else begins that tells as much of itself."""
    loading = started(0).after([Loading(message="weights", progress=1.0)], 10_000)

    assert end_of(loading.after([Loading(message="warm-up", progress=1.0)], 50_000), 50_000) == 110_000


def test_loading_has_a_long_limit_of_its_own() -> None:
    """A load is killed after a long time without progress; the same line again is none."""
    loading = started(0).after([Loading(message="weights", progress=0.3)], 50_000)
    repeating = loading.after([Loading(message="weights", progress=0.3)], 100_000)

    assert end_of(loading, 50_000) == end_of(repeating, 100_000) == 110_000
    assert verdict(repeating, 110_000, LIMITS).reason == "no progress while loading"


@given(
    heard_ms=st.integers(0, 10**6),
    silent_for_ms=st.integers(0, 10**6),
    jobs=st.integers(0, 64),
    prompt_tokens=st.integers(0, 10**6),
)
def test_the_time_to_look_again_is_honest(heard_ms: int, silent_for_ms: int, jobs: int, prompt_tokens: int) -> None:
    """Between now and the time that a verdict names nothing is killed; at that time, if nothing was heard, it is."""
    progress = working().after([Token(id="0", tokens=[1])], heard_ms)
    progress = progress.holding(jobs=jobs, prompt_tokens=prompt_tokens, now_ms=heard_ms)

    judged = verdict(progress, heard_ms + silent_for_ms, LIMITS)

    if judged.again_at_ms is None:
        assert judged.is_kill or not jobs
    else:
        assert not verdict(progress, judged.again_at_ms - 1, LIMITS).is_kill
        assert verdict(progress, judged.again_at_ms, LIMITS).is_kill
