"""Ways to be slow, or to send what costs much: what a socket sends at once, and what it goes on with."""

from collections.abc import Mapping

import msgspec


class Way(msgspec.Struct, frozen=True):
    """One of them. It goes on with `again`, if that is anything: a bomb as fast as it can, others once a second."""

    at_once: bytes
    again: bytes = b""
    is_bomb: bool = False


def _post(path: str, *fields: str) -> bytes:
    head = (f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields)
    return "\r\n".join(head).encode() + b"\r\n\r\n"


def _whole(body: bytes, *fields: str) -> bytes:
    return _post("/chat", f"Content-Length: {len(body)}", "Connection: close", *fields) + body


_LONG = "Content-Length: 100000"
_CHUNKED = "Transfer-Encoding: chunked"
_FORM = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
_DEEP = 500_000

SLOW: Mapping[str, Way] = {
    "says nothing": Way(b""),
    "a head, a byte a second": Way(b"GET /pool HTTP/1.1\r\nX: ", b"a"),
    "a second head, a byte a second": Way(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", b"a"),
    "a body, a byte a second": Way(_post("/chat", _LONG), b"1"),
    "a body in chunks, a byte a second": Way(_post("/v1/chat/completions", _CHUNKED) + b"ffff\r\n", b"1"),
    "a file, a byte a second": Way(_FORM + f"{_LONG}\r\n\r\n--x\r\n".encode(), b"a"),
    "a body that nobody reads": Way(_post("/nowhere", _LONG), b"1"),
}
BOMBS: Mapping[str, Way] = {
    "10,000 header fields": Way(_post("/chat", *["X: y"] * 10_000), is_bomb=True),
    "a header without end": Way(b"GET / HTTP/1.1\r\nX: ", b"a" * 65_536, is_bomb=True),
    "chunks without end": Way(_post("/chat", _CHUNKED), b"4000\r\n" + b" " * 16_384 + b"\r\n", is_bomb=True),
    "trailers without end": Way(_post("/chat", _CHUNKED) + b"0\r\n", b"X: y\r\n" * 4_096, is_bomb=True),
    "deep JSON": Way(_whole(b"[" * _DEEP + b"]" * _DEEP), is_bomb=True),
    "a number of a megabyte": Way(_whole(b'{"seed":' + b"9" * 1_000_000 + b"}"), is_bomb=True),
    "a compressed body": Way(_whole(b"\x1f\x8b" + b"\0" * 100_000, "Content-Encoding: gzip"), is_bomb=True),
}
HANDSHAKES: Mapping[str, Way] = {
    "no word of a handshake": Way(b""),
    "a handshake that stops": Way(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a handshake, a byte a second": Way(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0"),
}
