"""The streams and channels of a queue, what is on each, and what a service does with it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shared.keys import Keys

from .entries import Batch, CancelEntry, DeadLetterEntry, JobEntry, LogEntry, ReplyEntry

# A queue's tag, braces included: what stands in braces alone is a parameter of the document.
_KEYS = Keys("queue")
_JOB: Mapping[str, str] = {"job": "The job's id."}
_SAID = '{"status":"token","seq":2,"content":"안녕","tokens":[1016,1018]}'
_ENDED = '{"status":"done","seq":6,"reason":"stop","usage":{"prompt_tokens":8,"completion_tokens":4}}'


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A stream or a pub/sub channel, the kind of what is on it, and the one thing that a service does with it."""

    name: str
    address: str
    note: str
    kind: Any
    message: str
    does: Literal["send", "receive"]
    operation: str
    command: str
    example: Any
    parameters: Mapping[str, str] = {}
    answered_by: str = ""


CHANNELS = (
    Channel(
        name="jobs",
        address=_KEYS.jobs("{class}"),
        note="Jobs that wait. Never trim it: entries go when jobs end.",
        kind=JobEntry,
        message="job",
        does="send",
        operation="submit",
        command="XADD <address> * body <job> [id <id>] …",
        example={"body": '{"prompt":"안녕하세요","max_tokens":64}', "id": "hello-1"},
        parameters={"class": "`std`, or `lo`, which is served when nothing else waits."},
        answered_by="log",
    ),
    Channel(
        name="log",
        address=_KEYS.log("{job}"),
        note="A job's events from the first on; it need not exist yet, and lives for ten minutes after the last.",
        kind=LogEntry,
        message="logged",
        does="receive",
        operation="follow",
        command="XREAD BLOCK 5000 STREAMS <address> <last id, at first 0>",
        example={"e": _SAID},
        parameters=_JOB,
    ),
    Channel(
        name="live",
        address=_KEYS.channel("{job}"),
        note="The same events as they happen. A message may be lost: what is missing stands in the log.",
        kind=Batch,
        message="batch",
        does="receive",
        operation="listen",
        command="SUBSCRIBE <address>",
        example=f"1 89604636 2\n{_SAID}",
        parameters=_JOB,
    ),
    Channel(
        name="cancels",
        address=f"{_KEYS.prefix}:cancels",
        note="Jobs that are to end. Naming one that has ended does nothing.",
        kind=CancelEntry,
        message="cancel",
        does="send",
        operation="cancel",
        command="XADD <address> * id <id>",
        example={"id": "hello-1"},
    ),
    Channel(
        name="replies",
        address=f"{_KEYS.prefix}:reply:{{name}}",
        note="The ends of the jobs that named this stream as their `reply`: at least once each.",
        kind=ReplyEntry,
        message="reply",
        does="receive",
        operation="hearEnds",
        command="XREAD BLOCK 5000 STREAMS <address> <last id>",
        example={"id": "hello-1", "e": _ENDED},
        parameters={"name": "A name of the service's own."},
    ),
    Channel(
        name="dead",
        address=_KEYS.dead,
        note="Jobs that nobody can run, for the operator.",
        kind=DeadLetterEntry,
        message="deadLetter",
        does="receive",
        operation="readDeadLetters",
        command="XRANGE <address> - +",
        example={"why": "bad id", "at": "1795357481618", "on": "", "id": "a b", "body": '{"prompt":"x"}'},
    ),
)
