"""A job's log as it is now: read once, to its end, without waiting for more."""

from typing import NamedTuple

import msgspec

from gateway.delivery import Text, Told
from shared.errors import Fault
from shared.event import Queued, Token, decode_event
from shared.queue import Queue

PAGE = 1_000
_decode_text = msgspec.json.Decoder(Text).decode


class Logged(NamedTuple):
    """What a log holds, and the seq of the last of it; events that this version does not know are left out."""

    events: list[Text | Told]
    seq: int


async def logged(queue: Queue, job_id: str, *, up_to: int | None = None) -> Logged:
    """The events that are logged, at most up to this seq.

    Raises:
        Fault: broker_down, or one of them can't be read.

    """
    events: list[Text | Told] = []
    after = 0
    while True:
        count = PAGE if up_to is None else min(PAGE, up_to - after)
        entries = await queue.read_log(job_id, after=after, count=count) if count else []
        events += [event for entry in entries if (event := _read(entry.data))]
        after = entries[-1].seq if entries else after
        if len(entries) < PAGE:
            return Logged(events, after)


def _read(data: bytes) -> Text | Told | None:
    try:
        text = _decode_text(data)
    except msgspec.DecodeError as error:
        raise Fault("internal", "An event of this job can't be read.") from error
    event = text if text.status == "token" else decode_event(data)
    return None if isinstance(event, (Queued, Token)) else event
