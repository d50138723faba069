"""A limit of time for what can't be asked to stop: a library's regular expressions, over what a model has said."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

_Made = TypeVar("_Made")


class _TooLongError(BaseException):
    """No `Exception`: some parsers swallow all of those."""


def within(seconds: float, make: Callable[[], _Made]) -> _Made:
    """Call it, and raise `TimeoutError` where it takes longer. In the main thread, which alone hears signals.

    A thread would not help: the expressions keep the interpreter's lock while they search, but they look for signals.
    """
    is_over = False

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        if not is_over:
            raise _TooLongError

    handler = signal.signal(signal.SIGALRM, give_up)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return make()
    except _TooLongError:
        raise TimeoutError from None
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, *timer)
        # Where nobody listened before, what is still on its way must not end the process, as it does by default.
        signal.signal(signal.SIGALRM, signal.SIG_IGN if handler is signal.SIG_DFL else handler)
