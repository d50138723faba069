"""How events look to a client: NDJSON, server-sent events, bare text.

A token's frame is a byte template around the text's own JSON. Token ids stay inside the pool. U+2028, U+2029 and
U+0085 are escaped, since common clients break lines at them.

A stream that fails must not look like one that ended: NDJSON says so in its last line; SSE says so and is then cut off
without the end of the chunked body, since SDKs take a clean end for success; bare text can only be cut off.
"""

import re
from typing import Any, Protocol, assert_never

import msgspec

from shared.errors import from_wire
from shared.event import Cancelled, Done, Error, Queued, Started, ToolCall, Usage

from .delivery import Delivery, Text, Told
from .errors import error_object

_encode = msgspec.json.Encoder().encode
_LINE_BREAKS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


class Frames(Protocol):
    """A format, for one job's stream."""

    @property
    def media_type(self) -> str:
        """The answer's content type."""
        ...

    @property
    def keep_alive(self) -> bytes:
        """A sign of life that means nothing; empty where a format has none."""
        ...

    def frame(self, delivery: Delivery) -> bytes:
        """The bytes of one event."""
        ...

    def failure(self, error: Error) -> bytes:
        """The bytes of an error that the gateway itself found: not in the log, so it has no number."""
        ...

    def may_end_cleanly(self, end: Told) -> bool:
        """Whether the client knows from the bytes alone how the stream ended."""
        ...


class Ndjson:
    """One JSON object a line."""

    media_type = "application/x-ndjson"
    keep_alive = b""

    def __init__(self, job_id: str, model: str) -> None:
        self._job_id = job_id
        self._model = model

    def frame(self, delivery: Delivery) -> bytes:
        """A line."""
        return self.json(delivery) + b"\n"

    def failure(self, error: Error) -> bytes:
        """A last line without `seq`."""
        return one_line(_encode(_error_fields(error))) + b"\n"

    def may_end_cleanly(self, end: Told) -> bool:  # noqa: ARG002 the Protocol's question
        """Yes: the last line says how."""
        return True

    def json(self, delivery: Delivery) -> bytes:
        """The event as the client's JSON, on one line."""
        event = delivery.event
        if not isinstance(event, Text):
            return one_line(_encode(client_fields(event, delivery.seq, self._job_id, self._model)))
        head = b'{"status":"token","seq":%d,"content":%b' % (delivery.seq, event.content)
        if event.reasoning or event.tool_calls or event.warning or event.logprobs:
            head += _more(event)
        return one_line(head + b"}")


class EventStream(Ndjson):
    """Server-sent events; `id:` is where the stream can be resumed, at any gateway."""

    media_type = "text/event-stream"
    keep_alive = b": keep-alive\n"  # without an empty line: behind an `id:` many readers take that for an event

    def frame(self, delivery: Delivery) -> bytes:
        """An event."""
        place = b"id: %d-%d-%08x\n" % (delivery.seq, delivery.ids, delivery.crc) if delivery.seq else b""
        return b"%bdata: %b\n\n" % (place, self.json(delivery))

    def failure(self, error: Error) -> bytes:
        """An event without `id:`, so that the client's place stays behind the last one that is in the log."""
        return b"data: " + super().failure(error) + b"\n"

    def may_end_cleanly(self, end: Told) -> bool:
        """Not after an error."""
        return not isinstance(end, Error)


class PlainText:
    """The text alone."""

    media_type = "text/plain; charset=utf-8"
    keep_alive = b""

    def __init__(self, job_id: str, model: str) -> None:
        del job_id, model  # bare text tells neither

    def frame(self, delivery: Delivery) -> bytes:
        """The token's text; nothing of any other event."""
        return text_of(delivery.event.content).encode() if isinstance(delivery.event, Text) else b""

    def failure(self, error: Error) -> bytes:  # noqa: ARG002 the Protocol's question
        """Nothing: it would read as the model's words."""
        return b""

    def may_end_cleanly(self, end: Told) -> bool:
        """Only when all of the text is there."""
        return isinstance(end, Done)


def choose_frames(accept: str) -> type[Ndjson | PlainText]:
    """The format for an Accept header: the wanted one of the three, NDJSON when none or anything is."""
    offers: dict[str, type[Ndjson | PlainText]] = {
        "text/event-stream": EventStream,
        "text/plain": PlainText,
        "application/x-ndjson": Ndjson,
    }
    wanted = [(_quality(part), offers[name]) for part in accept.split(",") if (name := _name(part)) in offers]
    best = max(wanted, key=lambda pair: pair[0], default=(0.0, Ndjson))  # of equals the first
    return best[1] if best[0] > 0 else Ndjson


def client_fields(event: Told, seq: int, job_id: str, model: str) -> dict[str, Any]:
    """An event that is no token, as the client sees it."""
    match event:
        case Queued():
            return queued_fields(event)
        case Started():
            told = {"id": job_id, "model": model, "worker": event.worker, "attempt": event.attempt}
            return {"status": "started", "seq": seq} | told
        case Done():
            told = {"reason": event.reason, "usage": usage_fields(event.usage), "timings": timings_fields(event)}
            return {"status": "done", "seq": seq} | told
        case Cancelled():
            return {"status": "cancelled", "seq": seq, "reason": event.reason}
        case Error():
            return {"status": "error", "seq": seq} | _error_fields(event)
        case _:
            assert_never(event)


def queued_fields(queued: Queued) -> dict[str, Any]:
    """How a job waits; a wait that nobody knows is left out, and `loading` where nothing is loaded."""
    fields = {"status": "queued", "waiting": queued.waiting}
    more = {"expected_wait_ms": queued.expected_wait_ms, "loading": queued.loading}
    return fields | {name: value for name, value in more.items() if value is not None}


def queued_comment(queued: Queued) -> bytes:
    """The same as a comment of a server-sent stream, for APIs that have no such event."""
    words = (f" {name}={value}" for name, value in queued_fields(queued).items() if name != "status")
    return f": queued{''.join(words)}\n\n".encode()


def usage_fields(usage: Usage) -> dict[str, int]:
    """Token counts with none left out."""
    return {name: getattr(usage, name) for name in Usage.__struct_fields__}


def timings_fields(done: Done) -> dict[str, float]:
    """Times with none left out."""
    return {name: getattr(done.timings, name) for name in done.timings.__struct_fields__}


def text_of(raw: msgspec.Raw) -> str:
    """The text behind its JSON."""
    return msgspec.json.decode(raw, type=str)


def calls_of(raw: msgspec.Raw) -> list[ToolCall]:
    """The calls behind their JSON."""
    return msgspec.json.decode(raw, type=list[ToolCall])


def logprobs_of(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The entries of a list of logprobs, each still JSON."""
    return msgspec.json.decode(raw, type=list[msgspec.Raw])


def _more(event: Text) -> bytes:
    """What most tokens don't have, as the JSON it came as."""
    names = (b"reasoning", b"tool_calls", b"warning", b"logprobs")
    values = (bytes(event.reasoning), bytes(event.tool_calls), bytes(event.warning), bytes(event.logprobs))
    return b"".join(b',"%b":%b' % (name, value) for name, value in zip(names, values, strict=True) if value)


def _error_fields(error: Error) -> dict[str, Any]:
    return {"status": "error", "error": error_object(from_wire(error.code, error.message, param=error.param))}


def one_line(data: bytes) -> bytes:
    """JSON in which no client finds the end of a line."""
    if data.isascii() or not (b"\xe2\x80" in data or b"\xc2\x85" in data):
        return data
    for character, escape in _LINE_BREAKS:
        if character in data:
            data = data.replace(character, escape)
    return data


def _name(part: str) -> str:
    return part.partition(";")[0].strip().lower()


def _quality(part: str) -> float:
    found = re.search(r";\s*q=([0-9.]+)", part)
    try:
        return float(found.group(1)) if found else 1.0
    except ValueError:
        return 0.0
