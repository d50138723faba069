"""A client's connection: the limits that uvicorn does not set.

Nothing in uvicorn ends a socket that sends its headers one byte a second, or one that never reads its answer. What is
not even HTTP gets the envelope too, and so does who comes when all places are taken.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import Fault, PoolError, Refused

from .errors import error_response
from .places import MAX_LEAVING, Places

HEAD_WITHIN_S = 10.0
WRITE_WITHIN_S = 30.0  # for a client to make room for what it was sent
HEAD_BYTES = 32 * 1_024
LEAVE_WITHIN_S = 1.0  # for a client that finds no place to read that


class Connection(HttpToolsProtocol):
    """One socket, bounded in time and size."""

    places: Places  # what all connections share; set by `connection_in`
    _is_turned_away = False
    _head_deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it too
        """Expect a request's head, if there is a place."""
        super().connection_made(transport)
        if len(self.connections) > self.places.limit:
            self._turn_away()
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes, of a head only so many."""
        if self.transport.is_closing() or self._is_turned_away:
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
        self.places.leaving -= self._is_turned_away
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read as a request, and close."""
        self._head_deadline = _disarmed(self._head_deadline)
        self.transport.write(_answer(Refused("invalid_value", msg)))
        self.transport.close()

    def _turn_away(self) -> None:
        self._is_turned_away = True
        self.connections.discard(self)
        self.places.refuse(self.loop.time())
        self.places.leaving += 1
        if self.places.leaving > MAX_LEAVING:
            self.transport.abort()
            return
        self.transport.write(_answer(Fault("gateway_full", "This gateway has as many connections as it takes.")))
        if self.transport.can_write_eof():
            # Not closed yet: with a request unread, the system would throw the answer away.
            self.transport.write_eof()
            self._head_deadline = self.loop.call_later(LEAVE_WITHIN_S, self.transport.abort)
        else:
            self.transport.close()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_deadline = self.loop.call_later(HEAD_WITHIN_S, self.transport.abort)


def connection_in(places: Places) -> type[Connection]:
    """The class of the connections that share these places; uvicorn makes them itself."""
    return type("PlacedConnection", (Connection,), {"places": places})


def _answer(error: PoolError) -> bytes:
    """The error as bytes, for a client whose request was not read; the connection is to be closed behind it."""
    response = error_response(error, {"connection": "close"})
    phrase = HTTPStatus(response.status_code).phrase.encode()
    head = [b"HTTP/1.1 %d %s" % (response.status_code, phrase), *(b": ".join(each) for each in response.raw_headers)]
    return b"\r\n".join([*head, b"", bytes(response.body)])


def _disarmed(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
