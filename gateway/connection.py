"""A client's connection: the limits that uvicorn does not set.

Nothing in uvicorn ends a socket that sends its headers one byte a second, or one that never reads its answer. What is
not even HTTP gets the envelope too.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import Refused

from .errors import error_response

HEAD_WITHIN_S = 10.0
WRITE_WITHIN_S = 30.0  # for a client to make room for what it was sent
HEAD_BYTES = 32 * 1_024
_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)


class Connection(HttpToolsProtocol):
    """One socket, bounded in time and size."""

    _head_deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it too
        """Expect a request's head."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes, of a head only so many."""
        if self.transport.is_closing():
            return
        if self._head_deadline is None and self.cycle.response_complete:
            self._expect_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_deadline is not None and self._head_bytes > HEAD_BYTES:
            self.send_400_response("The request's head is too large.")

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_deadline = _disarmed(self._head_deadline)
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The client does not read: not for ever."""
        self._write_deadline = self.loop.call_later(WRITE_WITHIN_S, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._write_deadline = _disarmed(self._write_deadline)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._head_deadline = _disarmed(self._head_deadline)
        self._write_deadline = _disarmed(self._write_deadline)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read as a request, and close."""
        self._head_deadline = _disarmed(self._head_deadline)
        body = bytes(error_response(Refused("invalid_value", msg)).body)
        self.transport.write(_BAD_REQUEST % len(body) + body)
        self.transport.close()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_deadline = self.loop.call_later(HEAD_WITHIN_S, self.transport.abort)


def _disarmed(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
