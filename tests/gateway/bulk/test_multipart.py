"""Forms are read as they come, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bulk.multipart import Head, Multipart, boundary_of
from shared.errors import Refused

BOUNDARY = b"b0undary"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A form as clients write it."""
    told = b""
    for field, file_name, data in parts:
        more = f'; filename="{file_name}"' if file_name is not None else ""
        told += b"--%b\r\nContent-Disposition: form-data; name=%b%b\r\nX: y\r\n\r\n%b\r\n" % (
            BOUNDARY,
            f'"{field}"'.encode(),
            more.encode(),
            data,
        )
    return told + b"--%b--\r\n" % BOUNDARY


def parts_of(chunks: list[bytes]) -> list[tuple[str, str | None, bytes]]:
    """The parts that are read out of it."""
    reader = Multipart(BOUNDARY)
    parts: list[tuple[str, str | None, bytes]] = []
    for chunk in chunks:
        for seen in reader.feed(chunk):
            if isinstance(seen, Head):
                parts.append((seen.field, seen.file_name, b""))
            else:
                field, name, data = parts.pop()
                parts.append((field, name, data + seen))
    assert reader.has_ended
    return parts


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["purpose", "file"]),
        st.sampled_from([None, "", "a.jsonl"]),
        st.lists(st.sampled_from([b"\r\n", b"--", b"\r\n--b0und", b"x", b"\r", b"{}\n", BOUNDARY]))
        .map(b"".join)
        .filter(
            lambda data: b"\r\n--" + BOUNDARY not in b"\r\n" + data
        ),  # a client chooses a boundary that is not in it
    ),
    max_size=4,
)


@given(PARTS, st.lists(st.integers(0, 400), max_size=12))
def test_any_form_cut_anywhere_is_read_as_it_was_written(
    parts: list[tuple[str, str | None, bytes]], cuts: list[int]
) -> None:
    """What looks like the beginning of a boundary is data until it is one."""
    data = form(*parts)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    chunks = [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    assert parts_of(chunks) == parts


def test_little_is_held_of_a_large_part() -> None:
    """What came is given on at once, but for what may become a boundary."""
    reader = Multipart(BOUNDARY)
    head = form(("file", "a", b"")).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    seen = list(reader.feed(head + b"x" * 100_000))

    assert sum(len(each) for each in seen if isinstance(each, bytes)) > 99_900


def test_what_stands_behind_the_form_is_dropped() -> None:
    """However much of it comes: nothing of it is held."""
    reader = Multipart(BOUNDARY)
    list(reader.feed(form(("file", "a", b"x"))))

    assert [list(reader.feed(b"y" * 65_536)) for _ in range(3)] == [[], [], []]
    assert sum(len(each) for each in vars(reader).values() if isinstance(each, bytes)) < 100


@pytest.mark.parametrize(
    "data",
    [b"--b0undary\r\nX: y\r\n\r\n", b"--b0undaryXY", b"--b0undary\r\n" + b"x" * 9_000],
    ids=["nameless", "no line", "endless head"],
)
def test_what_is_no_form_is_refused(data: bytes) -> None:
    """Before anything of it is kept."""
    with pytest.raises(Refused):
        list(Multipart(BOUNDARY).feed(data))


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b;c"', b"a b;c"),
        ("multipart/form-data", None),
        ("multipart/mixed; boundary=abc", None),
        ("application/json", None),
        (f"multipart/form-data; boundary={'x' * 71}", None),
    ],
)
def test_a_boundary_is_told_by_the_type(kind: str, boundary: bytes | None) -> None:
    """Or there is none, and it is a 415."""
    if boundary is not None:
        assert boundary_of(kind) == boundary
        return
    with pytest.raises(Refused) as raised:
        boundary_of(kind)
    assert raised.value.code == "wrong_content_type"
