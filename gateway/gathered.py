"""A job's whole answer, gathered from its events."""

from collections.abc import Sequence

import msgspec

from shared.errors import from_wire
from shared.event import Cancelled, Done, Error, ToolCall

from .delivery import Delivery, Text
from .frames import calls_of, logprobs_of, text_of
from .relay import Relay


class Gathered(msgspec.Struct, frozen=True):
    """What was said in all, and how it ended; `end` is None for a log that has no end that this version knows."""

    content: str
    reasoning: str
    tool_calls: list[ToolCall]
    warnings: list[str]
    logprobs: list[msgspec.Raw]
    end: Done | Cancelled | None


async def gather(relay: Relay) -> Gathered | None:
    """Wait for a job's end; None when the client has left.

    Raises:
        PoolError: the job ended in an error.

    """
    deliveries: list[Delivery] = []
    while not (relay.is_over or relay.has_left):
        deliveries += await relay.next()
    return None if relay.has_left else _gathered(deliveries)


def _gathered(deliveries: Sequence[Delivery]) -> Gathered:
    texts = [delivery.event for delivery in deliveries if isinstance(delivery.event, Text)]
    end = deliveries[-1].event if deliveries else None
    if isinstance(end, Error):
        raise from_wire(end.code, end.message, param=end.param)
    return Gathered(
        content="".join(text_of(text.content) for text in texts),
        reasoning="".join(text_of(text.reasoning) for text in texts if text.reasoning),
        tool_calls=[call for text in texts if text.tool_calls for call in calls_of(text.tool_calls)],
        warnings=[text_of(text.warning) for text in texts if text.warning],
        logprobs=[entry for text in texts if text.logprobs for entry in logprobs_of(text.logprobs)],
        end=end if isinstance(end, (Done, Cancelled)) else None,
    )
