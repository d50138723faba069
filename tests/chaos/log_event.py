"""An event as it stands in a job's log, read as leniently as a client in any language would. Plain data."""

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """The counts in `done`."""

    prompt_tokens: int
    completion_tokens: int


class LogEvent(msgspec.Struct, frozen=True):
    """One event, all kinds in one."""

    status: str
    seq: int = 0
    content: str = ""
    tokens: list[int] = []
    worker: str = ""
    code: str = ""
    usage: Usage | None = None


_DECODER = msgspec.json.Decoder(LogEvent)


def read_event(data: bytes) -> LogEvent:
    """Read an event's JSON."""
    return _DECODER.decode(data)
