"""One measured request: a `POST /chat` over the standard library's HTTP, with the times of what came."""

import contextlib
import http.client
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import msgspec

from mlx_pool.chat_client import connection_to
from mlx_pool.where import Gateway

_NS_PER_MS: Final = 1e6


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request: times in ms since it was begun, and why it failed, if it did.

    A delivery may hold several tokens; `gaps_ms` are those between deliveries, as a reader sees them.
    """

    first_ms: float | None = None
    gaps_ms: list[float] = []
    total_ms: float = 0.0
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    failed: str | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class _Problem(msgspec.Struct, frozen=True):
    code: str = "internal"


class _Event(msgspec.Struct, frozen=True):
    """What of an event is measured; a refusal's body has the same `error`."""

    status: str = "error"
    usage: _Usage = _Usage()
    error: _Problem = _Problem()


_EVENT: Final = msgspec.json.Decoder(_Event)


class _Watch:
    """What has come so far, and when."""

    def __init__(self) -> None:
        self.began_ns = time.monotonic_ns()
        self.deliveries_ms: list[float] = []

    def now_ms(self) -> float:
        return (time.monotonic_ns() - self.began_ns) / _NS_PER_MS

    def sample(self, usage: _Usage | None = None, failed: str | None = None) -> Sample:
        times = self.deliveries_ms
        told = usage or _Usage()
        return Sample(
            first_ms=times[0] if times else None,
            gaps_ms=[after - before for before, after in pairwise(times)],
            total_ms=self.now_ms(),
            tokens=told.completion_tokens,
            prompt_tokens=told.prompt_tokens,
            cached_tokens=told.cached_tokens,
            failed=failed,
        )


def measure(place: Gateway, body: bytes, is_over: Callable[[], bool]) -> Sample | None:
    """Ask once and read to the end; None where it was over before."""
    watch = _Watch()
    try:
        with contextlib.closing(connection_to(place.url)) as connection:
            return _measured(connection, place, body, watch, is_over)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        return watch.sample(failed=str(error) or type(error).__name__)


def _measured(
    connection: http.client.HTTPConnection, place: Gateway, body: bytes, watch: _Watch, is_over: Callable[[], bool]
) -> Sample | None:
    headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
    if place.key:
        headers["Authorization"] = f"Bearer {place.key}"
    connection.request("POST", "/chat", body, headers)
    with connection.getresponse() as response:
        if response.status != http.client.OK:
            return watch.sample(failed=_code_of(response))
        while line := response.readline():
            if is_over():
                return None  # closing the connection cancels the job
            event = _EVENT.decode(line)
            match event.status:
                case "token":
                    watch.deliveries_ms.append(watch.now_ms())
                case "done":
                    return watch.sample(event.usage)
                case "error":
                    return watch.sample(failed=event.error.code)
                case "cancelled":
                    return watch.sample(failed="cancelled")
                case _:
                    pass  # what else happens to a job is not measured
    return watch.sample(failed="the answer broke off")


def _code_of(response: http.client.HTTPResponse) -> str:
    try:
        return _EVENT.decode(response.read()).error.code
    except msgspec.DecodeError:
        return f"{response.status} {response.reason}"
