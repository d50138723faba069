"""Jobs as the worker reads them, and answers as a client does."""

import json
from typing import Any

from anthropic.types import Message as Answer

from shared.claims import Claimed
from shared.event import Done, Reason, Usage
from shared.job import Job, Message, parse_job
from tests.gateway.hand import MODEL

HELLO: dict[str, Any] = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "안녕"}]}


def job_in(claimed: Claimed) -> Job:
    """The job that a worker claimed."""
    return parse_job(claimed.body)


def messages_in(claimed: Claimed) -> list[Message]:
    """The conversation that it is to go on with."""
    return job_in(claimed).messages or []


def ended(reason: Reason = "stop", *, stop: str | None = None, cached: int = 0) -> Done:
    """The end of an answer to a prompt of three tokens."""
    return Done(reason=reason, usage=Usage(prompt_tokens=3, completion_tokens=2, cached_tokens=cached), stop=stop)


def said_in(answer: Answer) -> list[dict[str, Any]]:
    """The blocks of a message."""
    return [block.to_dict() for block in answer.content]


def events_in(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The (name, object) pairs of a stream, comments left out."""
    blocks = [block for block in body.decode().split("\n\n") if block and not block.startswith(":")]
    pairs = [[line.partition(": ")[2] for line in block.split("\n")] for block in blocks]
    return [(name, json.loads(data)) for name, data in pairs]
