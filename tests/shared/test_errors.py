"""Errors: two families by whose fault they are, one list of codes, and the way over a wire and back."""

import pickle

import pytest

from shared.errors import CODES, REFUSED_CODES, Fault, PoolError, Refused, from_wire, may_retry


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_says_whose_fault_it_is(code: str) -> None:
    """An error event rebuilt from the wire is in the family that its writer raised."""
    error = from_wire(code, "said", param="prompt")

    assert isinstance(error, Refused if code in REFUSED_CODES else Fault)
    assert (error.code, error.message, error.param, str(error)) == (code, "said", "prompt", "said")


def test_a_code_of_a_later_version_is_a_fault() -> None:
    """What this version does not know is not blamed on the caller."""
    assert isinstance(from_wire("of_tomorrow", "said"), Fault)


def test_only_what_was_never_begun_may_be_retried() -> None:
    """Asking the same again must never run a job twice."""
    passing = {code for code in CODES if may_retry(code)}

    at_the_door = {"queue_full", "rate_limited", "too_many_jobs", "draining", "gateway_full"}
    assert passing == at_the_door | {"no_worker", "broker_down"}


@pytest.mark.parametrize("error", [Refused("queue_full", "full", param="p", retry_after_ms=5), Fault("internal", "x")])
def test_an_error_survives_a_process_border(error: PoolError) -> None:
    """Pickled and read again, it is the same error with all its fields."""
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
