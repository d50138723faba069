"""A limit of time: what takes longer is given up, and nothing of that is left behind."""

import contextlib
import signal

import pytest
import regex

from worker.engine.text.deadline import within

# Its time grows with the cube of the text.
CALLS = regex.compile(r"call:([\w-]+)(\{(?:[^{}]|(?2))*\})")
ENDLESS = "call:a{" * 9_000


def test_what_takes_too_long_is_given_up() -> None:
    """Also in the middle of a search, which looks at nothing but signals."""
    with pytest.raises(TimeoutError):
        within(0.02, lambda: CALLS.search(ENDLESS))


def test_what_swallows_every_error_is_given_up_too() -> None:
    """A parser's own tries at this and that can't keep it going."""

    def search() -> None:
        with contextlib.suppress(Exception):
            CALLS.search(ENDLESS)

    with pytest.raises(TimeoutError):
        within(0.02, search)


def test_what_is_in_time_leaves_nothing_behind() -> None:
    """Its answer or its error is the caller's, and no alarm is set."""
    timer = signal.getitimer(signal.ITIMER_REAL)[0]

    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)

    assert signal.getitimer(signal.ITIMER_REAL)[0] <= timer
