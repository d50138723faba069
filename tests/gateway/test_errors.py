"""The table of errors."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Scope

from gateway.dialect import is_anthropic
from gateway.errors import (
    MAX_RETRY_AFTER_MS,
    TABLE,
    anthropic_object,
    error_headers,
    error_object,
    error_response,
    on_crash,
    retry_after_ms,
)
from gateway.request_id import note_request_id
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


VERSION = [(b"anthropic-version", b"2023-06-01")]


def scope_of(path: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    """A request as the routes see it."""
    scope: Scope = {"type": "http", "path": path, "headers": [*headers, (b"x-request-id", b"r")]}
    note_request_id(scope)
    return scope


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/v1/messages", [], True),
        ("/v1/messages/count_tokens", [], True),
        ("/v1/messages/x/y", [], True),
        ("/v1/messagesx", VERSION, False),
        ("/v1/models", [], False),
        ("/v1/models", VERSION, True),
        ("/v1/models/my/model", VERSION, True),
        ("/v1/chat/completions", VERSION, False),
        ("", VERSION, False),
    ],
)
def test_a_request_is_one_apis(path: str, headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    """Also where there is no such route; where two APIs have the same one, by what only one's clients send."""
    assert is_anthropic(scope_of(path, headers)) is expected


def test_anthropics_envelope_is_told_on_its_routes() -> None:
    """The field's name stands in the message, and the request's id in body and header."""
    answer = error_response(Refused("unsupported", "No.", param="tools"), scope=scope_of("/v1/messages", []))

    said = {"type": "invalid_request_error", "message": "`tools`: No."}
    assert msgspec.json.decode(answer.body) == {"type": "error", "error": said, "request_id": "r"}
    assert answer.headers["request-id"] == "r"


@pytest.mark.parametrize("path", ["/chat", "/v1/messages"])
async def test_a_crash_is_told_without_its_cause(path: str) -> None:
    """In the envelope, like any other; the log has the cause."""
    answer = await on_crash(Request(scope_of(path, [])), ValueError("secret"))

    assert (answer.status_code, answer.headers["x-should-retry"]) == (500, "false")
    assert b"secret" not in bytes(answer.body)
    assert msgspec.json.decode(answer.body)["error"]["type"] in {"server_error", "api_error"}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Refused("invalid_value", "`a[0].b`: no.", param="a"), "`a[0].b`: no."),
        (Refused("invalid_value", "No.", param="a.b"), "`a.b`: No."),
        (Refused("invalid_json", "No."), "No."),
        (Refused("context_length_exceeded", "5 of 4.", param="messages"), "prompt is too long: 5 of 4."),
    ],
)
def test_anthropics_message_names_the_field_once(error: Refused, message: str) -> None:
    """There is no other place for it; and agents know by its words that a prompt is too long."""
    assert anthropic_object(error, "")["error"]["message"] == message
