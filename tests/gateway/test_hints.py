"""The header that tells what of a request had no effect."""

from hypothesis import given
from hypothesis import strategies as some

from gateway.hints import MAX_NAMES, ignored_headers


def test_each_name_is_told_once() -> None:
    """A field of many messages is one field."""
    assert ignored_headers(["user", "a[].b", "user"]) == [(b"x-mlx-pool-ignored", b"user, a[].b")]


def test_where_nothing_is_ignored_nothing_is_told() -> None:
    """The header's absence says that every field did what it should."""
    assert ignored_headers([]) == []


@given(some.lists(some.text()))
def test_a_clients_words_never_break_a_header(names: list[str]) -> None:
    """Whatever fields are called, the header is one line of plain ASCII, and short."""
    told = b"".join(value for _, value in ignored_headers(names))

    assert told.isascii()
    assert not set(told) & set(b"\r\n\0;:\"'")
    assert len(told) <= MAX_NAMES * 66
