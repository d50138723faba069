"""The table of errors."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MAX_RETRY_AFTER_MS, TABLE, error_headers, error_object, error_response, retry_after_ms
from shared.errors import CODES, Fault, Refused, from_wire, may_retry


def test_every_code_has_its_row() -> None:
    """A code without a status would become a 500 by accident."""
    assert set(TABLE) == CODES


def test_only_what_passes_invites_a_retry() -> None:
    """A Retry-After stands exactly on the statuses for which http.md says yes."""
    inviting = {code for code in CODES if "retry-after" in error_headers(from_wire(code, "x"), 0.5)}

    assert inviting == {code for code in CODES if may_retry(code)}
    assert {TABLE[code][0] for code in inviting} == {429, 503}


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_the_time_to_come_back_is_spread_and_bounded(wait_ms: int, draw: float) -> None:
    """Clients refused together don't return together, and none is sent away for more than two minutes."""
    after = retry_after_ms(Refused("queue_full", "x", retry_after_ms=wait_ms), draw)

    assert after is not None
    assert min(wait_ms, MAX_RETRY_AFTER_MS) <= after <= MAX_RETRY_AFTER_MS


@pytest.mark.parametrize("code", ["engine_failed", "poisoned", "deadline_exceeded", "stream_lost"])
def test_work_that_began_is_not_to_be_repeated(code: str) -> None:
    """SDKs retry a 5xx twice unless they are told that this would run the work again."""
    assert error_headers(from_wire(code, "x"), 0)["x-should-retry"] == "false"


def test_an_unknown_code_is_a_fault_of_ours() -> None:
    """A newer worker may know errors that this gateway does not."""
    error = from_wire("brand_new", "hm")

    assert error_object(error) == {"message": "hm", "type": "server_error", "param": None, "code": "brand_new"}
    assert error_response(error).status_code == 500


def test_the_envelope_is_the_same_everywhere() -> None:
    """One shape for SDKs to read."""
    answer = error_response(Fault("no_worker", "None."))

    assert answer.status_code == 503
    assert msgspec.json.decode(answer.body) == {
        "error": {"message": "None.", "type": "server_error", "param": None, "code": "no_worker"}
    }
