"""One `POST /chat` over the standard library's HTTP: how it waits, and its text as it comes."""

import contextlib
import http.client
from collections.abc import Generator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from shared.errors import PoolError, from_wire
from shared.event import Queued

from .failure import Failed, Unusable
from .where import Gateway

# Longer than any silence of a gateway that lives: it answers or sends within 10 s, or says that it can't.
_SILENCE_S: Final = 120.0


class _Problem(msgspec.Struct, frozen=True):
    code: str = "internal"
    message: str = ""


class _Event(msgspec.Struct, frozen=True):
    """What of an event a conversation needs; an error's body has the same `error`."""

    status: str = "error"
    content: str = ""
    waiting: int = 0
    expected_wait_ms: int | None = None
    loading: float | None = None
    error: _Problem = _Problem()


_EVENT: Final = msgspec.json.Decoder(_Event)


def answer_to(place: Gateway, body: bytes) -> Generator[str | Queued]:
    """Ask, and give the pieces of the answer; closing the generator early cancels the job.

    While the job waits there is news of that; a piece, be it empty, says that its turn has come.

    Raises:
        Failed: no gateway answers there, or the stream broke off.
        Refused, Fault: the gateway said so, in the pool's own words.

    """
    try:
        with contextlib.closing(connection_to(place.url)) as connection:
            yield from _pieces(connection, place, body)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        reason = str(error) or type(error).__name__
        raise Failed(f"No answer from {place.url} ({reason}): is a pool running? `mlx-pool up` starts one.") from error


def connection_to(url: str) -> http.client.HTTPConnection:
    """A connection to a gateway, not yet open."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise Unusable(f"{url} is no address of a gateway: expected http://HOST:PORT.")
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=_SILENCE_S)


def _pieces(connection: http.client.HTTPConnection, place: Gateway, body: bytes) -> Generator[str | Queued]:
    headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
    if place.key:
        headers["Authorization"] = f"Bearer {place.key}"
    connection.request("POST", "/chat?queued=true", body, headers)
    with connection.getresponse() as response:
        if response.status != http.client.OK:
            raise _error_of(response)
        while line := response.readline():
            event = _EVENT.decode(line)
            match event.status:
                case "queued":
                    yield Queued(waiting=event.waiting, expected_wait_ms=event.expected_wait_ms, loading=event.loading)
                case "started" | "token":
                    yield event.content
                case "done" | "cancelled":
                    return
                case "error":
                    raise _error_in(event)
                case _:
                    pass  # what else happens to a job is not part of the conversation
    raise Failed("The answer broke off.")


def _error_of(response: http.client.HTTPResponse) -> Exception:
    try:
        return _error_in(_EVENT.decode(response.read()))
    except msgspec.DecodeError:
        return Failed(f"The gateway answered {response.status} {response.reason}.")


def _error_in(event: _Event) -> PoolError:
    return from_wire(event.error.code, event.error.message)
