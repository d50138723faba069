"""An HTTP answer as it came, cut into events: a body in chunks or not, NDJSON or server-sent events. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from .recording import Broken, Line


class Read(msgspec.Struct, frozen=True, gc=False):
    """Bytes from a socket, and when they came."""

    at_ns: int
    data: bytes


def lines_of(reads: Sequence[Read]) -> list[Line]:
    """The events of an answer, each with the time of the read that made it whole.

    Raises:
        Broken: the status is not 200, or the body was cut, or is neither in chunks nor one of events.

    """
    return [Line(at_ns, data) for at_ns, line in _lines(_body(reads)) if (data := _event(line))]


def _body(reads: Sequence[Read]) -> Iterator[Read]:
    """What each read brought of the body."""
    head, body = _split_head(reads)
    if head.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding: chunked" in head.lower():
        return _unpacked(body)
    if head.startswith(b"HTTP/1.0 200 ") and b"content-type: text/event-stream" in head.lower():
        return iter(body)  # it ends with the connection: whether it is whole, only its last event can tell
    raise Broken(f"the server answered {head[:200]!r} {b''.join(read.data for read in body)[:500]!r}")


def _unpacked(body: Sequence[Read]) -> Iterator[Read]:
    """Unpack the chunks: what each read completed."""
    rest = b""
    for read in body:
        unpacked, rest, is_last = _unchunk(rest + read.data)
        yield Read(read.at_ns, unpacked)
        if is_last:
            return
    raise Broken("the answer was cut")


def _split_head(reads: Sequence[Read]) -> tuple[bytes, list[Read]]:
    seen = b""
    for place, read in enumerate(reads):
        head, mark, rest = (seen + read.data).partition(b"\r\n\r\n")
        if mark:
            return head, [Read(read.at_ns, rest), *reads[place + 1 :]]
        seen += read.data
    return seen, []


def _unchunk(data: bytes) -> tuple[bytes, bytes, bool]:
    """Take all whole chunks off the front: their contents, what is left, and whether the last one was among them."""
    contents: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        if size == 0:
            return b"".join(contents), b"", True
        if end + 2 + size + 2 > len(data):
            break
        contents.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(contents), data[at:], False


def _lines(body: Iterator[Read]) -> Iterator[tuple[int, bytes]]:
    rest = b""
    for read in body:
        *whole, rest = (rest + read.data).split(b"\n")
        for line in whole:
            yield read.at_ns, line


def _event(line: bytes) -> bytes:
    """The JSON of a line; nothing for what frames server-sent events."""
    if line.startswith((b"id:", b":")):
        return b""
    return line.removeprefix(b"data: ")
