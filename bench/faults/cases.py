"""The faults: what is done to the part that carries a stream, which event ends the silence, and how it is mended."""

import os
import signal
import time
from collections.abc import Callable

import msgspec

from .pool import GATEWAYS, Pool
from .stream import Mark, Stream

Fits = Callable[[Mark], bool]


class Struck(msgspec.Struct, frozen=True):
    """A fault that was done: when, what ends the silence, and how to mend it before the next one."""

    at_s: float
    ends: Fits
    mend: Callable[[], None]


class Case(msgspec.Struct, frozen=True):
    """A line of the table."""

    name: str
    strike: Callable[[Pool, Stream], Struck]
    waiting: int = 0  # jobs in the queue all the while
    tokens: int = 30  # the stream has so many when it is struck; one that has few is a suspect, and waits to run alone


def _on_next_attempt(stream: Stream) -> Fits:
    attempt = stream.last.attempt
    return lambda mark: mark.status == "token" and mark.attempt > attempt


def _host(stream: Stream) -> str:
    return stream.last.worker.rsplit(".", 2)[0]


def kill_worker(pool: Pool, stream: Stream) -> Struck:
    """Kill -9 of the agent; its engine dies with it."""
    name, ends = _host(stream), _on_next_attempt(stream)
    at_s = time.monotonic()
    pool.kill(name)
    return Struck(at_s, ends, lambda: _replace(pool, name))


def abort_engine(pool: Pool, stream: Stream) -> Struck:
    """SIGABRT of the engine, as Metal does without memory; its agent lives and says so."""
    name, ends = _host(stream), _on_next_attempt(stream)
    engine = pool.engine_of(name)
    at_s = time.monotonic()
    os.kill(engine, signal.SIGABRT)

    def mend() -> None:
        # The agent too: one whose engine dies again and again takes itself out of service.
        pool.kill(name)
        _replace(pool, name)

    return Struck(at_s, ends, mend)


def stop_worker(pool: Pool, stream: Stream) -> Struck:
    """SIGSTOP of the agent: its sockets stand, and it says nothing."""
    name, ends = _host(stream), _on_next_attempt(stream)
    at_s = time.monotonic()
    pool.signal(name, signal.SIGSTOP)

    def wake() -> None:
        pool.signal(name, signal.SIGCONT)
        pool.until(lambda: pool.is_ready(name), f"{name} is ready again")

    return Struck(at_s, ends, wake)


def kill_broker(pool: Pool, _: Stream) -> Struck:
    """Kill -9 of the broker, and its restart on what its file has, at once; counted from the kill."""
    at_s = time.monotonic()
    pool.kill("broker")
    pool.bury("broker")
    pool.start("broker")
    up_s = time.monotonic()
    return Struck(at_s, lambda mark: mark.status == "token" and mark.at_s > up_s, lambda: None)


def kill_gateway(pool: Pool, stream: Stream) -> Struck:
    """Kill -9 of the gateway; the client comes back at the other one with Last-Event-ID."""
    connection = stream.last.connection
    at_s = time.monotonic()
    pool.kill(GATEWAYS[0])

    def mend() -> None:
        pool.bury(GATEWAYS[0])
        pool.start(GATEWAYS[0])

    return Struck(at_s, lambda mark: mark.status == "token" and mark.connection > connection, mend)


def _replace(pool: Pool, name: str) -> None:
    pool.bury(name)
    pool.start(name)


CASES = {
    case.name: case
    for case in (
        Case("kill -9 of the worker", kill_worker),
        Case("the same, 150 jobs waiting", kill_worker, waiting=150),
        Case("engine abort", abort_engine),
        Case("the same, 5 tokens old", abort_engine, tokens=5),
        Case("SIGSTOP of the worker", stop_worker),
        Case("kill -9 of the broker, restarted", kill_broker),
        Case("kill -9 of the gateway, resumed", kill_gateway),
    )
}
