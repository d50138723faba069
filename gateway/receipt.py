"""What is noted of a request from its receipt on, by whoever serves it, for those who count and tell of it."""

import time

from starlette.types import Scope

from .course import Course
from .metrics.figures import Kind, Ledger

_PLACE = "mlx_pool.receipt"


class Receipt:
    """When a request came, on the monotonic clock, and how the jobs go that it began."""

    def __init__(self) -> None:
        self.at_s = time.monotonic()
        self.courses: list[Course] = []

    def begin(self, job_id: str, kind: Kind, ledger: Ledger) -> Course:
        """Note that a job began, and give what notes how it goes."""
        course = Course(job_id, kind, ledger.of(kind), self.at_s, ledger.failures)
        self.courses.append(course)
        return course

    @property
    def age_s(self) -> float:
        """How long ago it came."""
        return time.monotonic() - self.at_s


def note_receipt(scope: Scope) -> Receipt:
    """Begin the notes on a request."""
    receipt = Receipt()
    scope[_PLACE] = receipt
    return receipt


def receipt_of(scope: Scope) -> Receipt:
    """The notes on a request."""
    receipt = scope[_PLACE]
    assert isinstance(receipt, Receipt)
    return receipt
