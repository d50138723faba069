"""What a relay hands to the formats: an event, numbered as the client counts. Plain data."""

import msgspec

from shared.event import Cancelled, Done, Error, Queued, Started

Told = Queued | Started | Done | Error | Cancelled  # what a client is told of besides text


class Text(msgspec.Struct, gc=False):
    """A token event as it is relayed: the text stays the JSON it came as, so nothing is decoded only to be encoded."""

    status: str
    content: msgspec.Raw = msgspec.Raw(b'""')
    reasoning: msgspec.Raw = msgspec.Raw()
    tool_calls: msgspec.Raw = msgspec.Raw()
    warning: msgspec.Raw = msgspec.Raw()
    logprobs: msgspec.Raw = msgspec.Raw()
    tokens: list[int] = []


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """An event for the client: `seq` as the client counts; number and CRC32 of the ids sent, this event's included.

    News of the queue has seq 0: it is in no log, and the client's place stays where it was.
    """

    seq: int
    ids: int
    crc: int
    event: Text | Told


class Tally:
    """What all relays of a process have done; plain numbers, since counting must cost nothing on the way of a token."""

    __slots__ = ("events", "log_reads", "overflows", "rejoins", "tokens")

    def __init__(self) -> None:
        self.events = 0
        self.tokens = 0
        self.log_reads = 0
        self.overflows = 0  # batches let go because their client did not read
        self.rejoins = 0  # times that Redis was found to have lost a log's tail
