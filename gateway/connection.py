"""A client's connection: the limits that uvicorn does not set.

Nothing in uvicorn ends a socket that sends its headers one byte a second, one that never reads its answer, or one that
sends for ever what is no body: lines of a head, trailers, the sizes of chunks. What can't be read as a request gets the
envelope too, and so does who comes when all places are taken.

    head      8 to 10 s, 32 KiB, 100 fields; behind an answer from its first byte on
    body      the route's to read (gateway.client); around each of its bytes at most eight others
    rest      of a body whose request was answered before all of it was there: as long as a head, 1 MiB
    idle      30 s behind an answer (uvicorn's)
    reading   30 s without room for more of an answer; behind the last one, for all that is left
    leaving   1 s to read why, then the socket is cut
"""

import asyncio
import random
from http import HTTPStatus
from typing import Any, NoReturn

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared.errors import Fault, PoolError, Refused
from shared.job import MAX_BODY_BYTES

from .errors import error_response
from .places import MAX_LEAVING, Places

HEAD_WITHIN_S = 8.0
SPREAD_S = 2.0  # longer, at random: who came together is not cut in one moment, which others would feel
HEAD_BYTES = 32 * 1_024
HEAD_FIELDS = 100
WRITE_WITHIN_S = 30.0  # for a client to make room for what it was sent
LEAVE_WITHIN_S = 1.0  # for a client to read why it is cut off
MAX_QUEUED = 16  # requests that a client may send before it has the first one's answer
_FRAMING = 8  # bytes around each byte of a body: a chunk of one byte takes six in all
_TOO_LARGE = "The request's head is too large."


class Connection(HttpToolsProtocol):
    """One socket, bounded in time and size."""

    places: Places  # what all connections share; set by `connection_in`
    _is_turned_away = False
    _is_leaving = False
    _answered: RequestResponseCycle | None = None  # the request whose turn it is; `cycle` is the newest
    _complaint = ""  # why what came can't be read, where we know it better than the parser
    _deadline: asyncio.TimerHandle | None = None  # for what the client is to send next
    _write_deadline: asyncio.TimerHandle | None = None
    _head_at_s = 0.0
    _head_bytes = 0  # of the fields that were read
    _loose_bytes = 0  # that came and are no body's
    _rest_bytes = 0  # that nobody reads

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it too
        """Expect a request's head, if there is a place."""
        super().connection_made(transport)
        if len(self.connections) > self.places.limit:
            self._turn_away()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._disarm()
        self.places.leaving -= self._is_turned_away
        if self._write_deadline:
            self._write_deadline.cancel()
        self._dismiss()
        super().connection_lost(exc)

    # What the client sends.

    def data_received(self, data: bytes) -> None:
        """Take bytes; of those that are no body's only so many."""
        if self.transport.is_closing():
            return
        if self._is_leaving:
            self._drop(len(data))
            return
        if self._deadline is None and self.cycle.response_complete:
            self._expect_head()
        self._loose_bytes += len(data)
        super().data_received(data)
        if self._loose_bytes > HEAD_BYTES:
            self.send_400_response(_TOO_LARGE)

    def on_url(self, url: bytes) -> None:
        """Take some of the head."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, of the head or behind a body."""
        if len(self.headers) >= HEAD_FIELDS:
            self._refuse(f"A request has at most {HEAD_FIELDS} header fields.")
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        if len(self.pipeline) >= MAX_QUEUED:
            self._refuse(f"At most {MAX_QUEUED} requests may wait for an answer before them.")
        self._disarm()
        self._head_at_s = self.loop.time()
        self._head_bytes = self._loose_bytes = self._rest_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take some of the body."""
        self._loose_bytes = max(0, self._loose_bytes - (1 + _FRAMING) * len(body))
        if self.cycle.response_complete:
            self._drop(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; the next one's head may come."""
        self._head_bytes = self._loose_bytes = 0
        if self._deadline and self.cycle.response_complete:
            self._disarm()
            self._expect_head()
        super().on_message_complete()

    # What it is sent.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Expect what is left of the body that was answered, or the next request."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            spent_s = self.loop.time() - self._head_at_s
            self._deadline = self.loop.call_later(max(LEAVE_WITHIN_S, HEAD_WITHIN_S - spent_s), self.transport.abort)

    def pause_writing(self) -> None:
        """The client does not read: not for ever."""
        self._write_deadline = self.loop.call_later(WRITE_WITHIN_S, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._write_deadline and not self.transport.is_closing():
            self._write_deadline.cancel()
            self._write_deadline = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Close, behind the answer that is under way if there is one."""
        super().shutdown()
        self.bound_closing()

    def bound_closing(self) -> None:
        """See that a connection which is to be closed is: it waits for its client to read the rest, but not for ever.

        To be called now and then: uvicorn closes connections at many places, and tells of few.
        """
        if self.transport.is_closing() and self.transport.get_write_buffer_size() and not self._write_deadline:
            self._write_deadline = self.loop.call_later(WRITE_WITHIN_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read as a request, and close. In the midst of an answer there is no place for that."""
        if self._is_leaving or self.transport.is_closing():
            return
        if self.cycle and not self.cycle.response_complete and (self.cycle.response_started or self.pipeline):
            self.transport.abort()
        else:
            self._leave(Refused("invalid_value", self._complaint or msg))

    # The end.

    def _turn_away(self) -> None:
        self._is_turned_away = True
        self.connections.discard(self)
        self.places.refuse(self.loop.time())
        self.places.leaving += 1
        if self.places.leaving > MAX_LEAVING:
            self.transport.abort()
        else:
            self._leave(Fault("gateway_full", "This gateway has as many connections as it takes."))

    def _leave(self, why: PoolError) -> None:
        """Tell the client, and let go; whoever works on its request learns that it is gone."""
        self._is_leaving = True
        self._disarm()
        self._dismiss()
        self.transport.write(_answer(why))
        if self.transport.can_write_eof():
            # Not closed yet: with more to read, the system would throw the answer away.
            self.transport.write_eof()
            self._deadline = self.loop.call_later(LEAVE_WITHIN_S, self.transport.abort)
        else:
            self.transport.close()

    def _dismiss(self) -> None:
        # uvicorn tells the newest request only, which may be one that waits behind the one that is answered.
        if self._answered and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _drop(self, size: int) -> None:
        self._rest_bytes += size
        if self._rest_bytes > MAX_BODY_BYTES:
            self.transport.abort()

    # The head.

    def _expect_head(self) -> None:
        self._loose_bytes = 0
        self._deadline = self.loop.call_later(spread_s(HEAD_WITHIN_S), self._miss_head)

    def _miss_head(self) -> None:
        if self._loose_bytes:
            self.send_400_response(f"The request's head did not arrive within {HEAD_WITHIN_S:.0f} s.")
        else:
            self.transport.abort()  # who asked nothing is told nothing

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            self._refuse(_TOO_LARGE)

    def _refuse(self, why: str) -> NoReturn:
        """End the parser in its midst: it has `send_400_response` called."""
        self._complaint = why
        raise ValueError(why)

    def _disarm(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def spread_s(seconds: float) -> float:
    """So many seconds, and up to two more."""
    return seconds + SPREAD_S * random.random()  # noqa: S311 no secret


def connection_in(places: Places) -> type[Connection]:
    """The class of the connections that share these places; uvicorn makes them itself."""
    return type("PlacedConnection", (Connection,), {"places": places})


def _answer(error: PoolError) -> bytes:
    """The error as bytes, for a client whose request was not read; the connection is to be closed behind it."""
    response = error_response(error, {"connection": "close"})
    phrase = HTTPStatus(response.status_code).phrase.encode()
    head = [b"HTTP/1.1 %d %s" % (response.status_code, phrase), *(b": ".join(each) for each in response.raw_headers)]
    return b"\r\n".join([*head, b"", bytes(response.body)])
