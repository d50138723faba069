"""Hears all that is published on the channels of jobs, by pattern: not counted among a job's listeners.

On a socket of its own, so that the very bytes count; what passes while it is away is missed, as with anybody.
"""

import asyncio
import contextlib
from typing import Any

import hiredis

from shared.channel import parse_batch
from shared.keys import Keys

from .broker import HOST
from .history import History, Published
from .log_event import read_event

_AGAIN_S = 0.1


async def spy(port: int, keys: Keys, history: History) -> None:
    """Write down every message until cancelled."""
    while True:
        with contextlib.suppress(OSError, EOFError):
            await _listen(port, keys, history)
        await asyncio.sleep(_AGAIN_S)


async def _listen(port: int, keys: Keys, history: History) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    replies = hiredis.Reader()
    try:
        writer.write(f"PSUBSCRIBE {keys.channel('*')}\r\n".encode())
        while data := await reader.read(1 << 16):
            replies.feed(data)
            while reply := replies.gets():
                if reply[0] == b"pmessage":
                    _note(reply, keys, history)
    finally:
        writer.transport.abort()


def _note(reply: list[Any], keys: Keys, history: History) -> None:
    batch = parse_batch(reply[3])
    history.add(
        Published(
            at=history.now(),
            job=reply[2].decode().removeprefix(keys.channel("")),
            attempt=batch.attempt,
            worker=batch.worker,
            first_seq=batch.first_seq,
            statuses=[read_event(data).status for data in batch.events],
        )
    )
