"""An event as it stands in a job's log, read as leniently as a client in any language would. Plain data."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """The counts in `done`."""

    prompt_tokens: int
    completion_tokens: int


class Likelihood(msgspec.Struct, frozen=True):
    """Of an entry of `logprobs`, what is looked at."""

    logprob: float


class LogEvent(msgspec.Struct, frozen=True):
    """One event, all kinds in one."""

    status: str
    seq: int = 0
    content: str = ""
    tokens: list[int] = []
    tool_calls: list[dict[str, Any]] = []
    logprobs: list[Likelihood] = []
    worker: str = ""
    code: str = ""
    usage: Usage | None = None

    @property
    def calls(self) -> str:
        """Its calls."""
        return calls_in(self.tool_calls)


_DECODER = msgspec.json.Decoder(LogEvent)


def read_event(data: bytes) -> LogEvent:
    """Read an event's JSON."""
    return _DECODER.decode(data)


def calls_in(calls: Sequence[Mapping[str, Any]]) -> str:
    """Calls as one text, so that one that is lost, doubled or another shows as in any other text."""
    return "".join(f"[{call['index']} {call['name']} {call['arguments']}]" for call in calls)
