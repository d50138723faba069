"""What is told of how likely an id was: JSON that every client can read."""

import math

import msgspec
import pytest

from worker.engine.logprobs import logprob_of


def test_an_entry_is_that_of_openais_chat_api() -> None:
    """`token`, `logprob`, `bytes`, and the likeliest with the same three."""
    entry = logprob_of("안".encode(), -0.25, [(b" a", -0.125)])

    assert msgspec.to_builtins(entry) == {
        "token": "안",
        "logprob": -0.25,
        "bytes": [236, 149, 136],
        "top_logprobs": [{"token": " a", "logprob": -0.125, "bytes": [32, 97]}],
    }


def test_part_of_a_character_is_told_by_its_bytes() -> None:
    """The text can only be a mark; whoever joins the bytes has the character."""
    parts = [logprob_of(part, -1.0, []) for part in (b"\xec", b"\x95\x88")]

    assert parts[0].token == "\ufffd"
    assert bytes([*parts[0].bytes, *parts[1].bytes]).decode() == "안"


@pytest.mark.parametrize(
    ("value", "told"),
    [(-1.23456789, -1.234568), (-1e-9, 0.0), (-math.inf, -9999.0), (math.nan, -9999.0), (-1e30, -9999.0)],
)
def test_a_number_is_finite_and_short(value: float, told: float) -> None:
    """JSON has no infinity; what is impossible has the number that OpenAI's API gives it."""
    data = msgspec.json.encode(logprob_of(b"x", value, []).logprob)

    assert data == msgspec.json.encode(told)
