"""A job's log as OpenAI's events of a response; and, gathered on the way, the whole response.

    created, [queued,] in_progress
    for each item  output_item.added, content_part.added, …text.delta, …text.done, content_part.done, output_item.done
    for a call     output_item.added, function_call_arguments.delta and .done, output_item.done
    completed | incomplete | failed (also of a response that was cancelled: no type is only for that)

Everything here is a fold over the log from its first event: no clock, no random number, nothing of this process. So an
event's `sequence_number` is the same in the live stream and in every replay at any gateway, and `after` only keeps back
what a client has already. A token's event is a byte template around the text's own JSON.
"""

from typing import Literal, assert_never

import msgspec

from gateway.delivery import Text, Told
from gateway.errors import error_object
from gateway.frames import calls_of, logprobs_of, one_line, queued_comment, text_of
from shared.errors import PoolError, Refused, from_wire
from shared.event import Cancelled, Done, Error, Queued, Started, ToolCall, Usage

from .items import FunctionCall, ItemStatus, OutputItem
from .part import SAID, THOUGHT, Part, PartKind
from .response import IncompleteDetails, Opening, Outcome, Response, ResponseUsage, usage_of
from .response_job import in_their_words

MEDIA_TYPE = "text/event-stream"
Ended = Done | Error | Cancelled
_encode = msgspec.json.Encoder().encode
_EMPTY = len('""')
_DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":'


class Events:
    """The events of one response; those up to the number `after` are told to nobody."""

    def __init__(self, opening: Opening, *, after: int = -1) -> None:
        self.number = 0  # of the next event
        self._opening = opening
        self._after = after
        self._outcome = Outcome(status="queued" if opening.echo.background else "in_progress")
        self._has_progress = False
        self._output: list[OutputItem] = []
        self._open: Part | None = None
        self._held: list[msgspec.Raw] = []  # logprobs of ids whose text is not there yet
        self._reasoning_tokens = 0
        self._warnings: list[str] = []

    @property
    def has_ended(self) -> bool:
        """Whether the log's last event was told."""
        return self._outcome.status not in ("queued", "in_progress")

    def response(self) -> Response:
        """The response so far."""
        unfinished = [self._open.item("incomplete")] if self._open else []
        return self._opening.so_far(self._outcome, [*self._output, *unfinished], self._warnings)

    def begin(self) -> bytes:
        """What there is to tell before the log has an event: nothing of this depends on it."""
        created = self._life(b"created")
        return created + self._life(b"queued") if self._opening.echo.background else created

    def tell(self, event: Text | Told) -> bytes:
        """The next event of the log, as none, one or several here."""
        if isinstance(event, Queued):
            return queued_comment(event)  # in no log, so that no number may depend on it
        return self._progress() + self._told(event)

    def error(self, error: PoolError) -> bytes:
        """What this gateway met and the log knows nothing of; it ends this stream, and another one can go on."""
        told = error_object(in_their_words(error))
        named = {"code": told["code"], "message": told["message"], "param": told["param"]}
        # The number of the event before it, from which the client goes on; SDKs raise what stands under `error`.
        fields = {"type": "error", "sequence_number": max(self.number - 1, 0), **named, "error": told}
        return one_line(b"event: error\ndata: %b\n\n" % _encode(fields))

    def _told(self, event: Text | Started | Ended) -> bytes:
        match event:
            case Text():
                return self._say(event)
            case Started():
                return b""  # a second attempt is none of the client's business
            case Done():
                return self._finish(event)
            case Error():
                return self._fail("failed", from_wire(event.code, event.message, param=event.param))
            case Cancelled():
                return self._fail("cancelled", Refused("job_cancelled", "The response was cancelled."), event.usage)
            case _:
                assert_never(event)

    def _say(self, text: Text) -> bytes:
        if text.reasoning or text.tool_calls or text.logprobs or text.warning or self._held:
            return self._say_more(text)
        if len(text.content) == _EMPTY:
            return b""
        part = self._open
        if part is None or part.kind is not SAID:
            return self._add(SAID, text.content, [])
        # What most tokens are.
        part.add(text.content, [])
        number, self.number = self.number, self.number + 1
        if number <= self._after:
            return b""
        return one_line(b'%b%d%b%b,"logprobs":[]}\n\n' % (_DELTA, number, part.delta, text.content))

    def _say_more(self, text: Text) -> bytes:
        if text.warning:
            self._warnings.append(text_of(text.warning))
        logprobs = logprobs_of(text.logprobs) if text.logprobs else []
        said = b""
        if len(text.reasoning) > _EMPTY:
            self._reasoning_tokens += len(text.tokens)
            said += self._add(THOUGHT, text.reasoning, [])
        if len(text.content) > _EMPTY:
            said += self._add(SAID, text.content, [*self._held, *logprobs])
            self._held = []
        elif text.reasoning or text.tool_calls:
            self._held = []
        elif logprobs:
            return self._hold(logprobs)
        return said + b"".join(map(self._call, calls_of(text.tool_calls) if text.tool_calls else ()))

    def _hold(self, logprobs: list[msgspec.Raw]) -> bytes:
        # Ids come before their text where it may yet become something else; what they become decides where they belong.
        if self._open and self._open.kind is SAID:
            return self._add(SAID, msgspec.Raw(b'""'), logprobs)
        self._held += logprobs
        return b""

    def _add(self, kind: PartKind, piece: msgspec.Raw, logprobs: list[msgspec.Raw]) -> bytes:
        opening = b"" if self._open and self._open.kind is kind else self._close() + self._begin_item(kind)
        assert self._open
        self._open.add(piece, logprobs)
        told = b""
        if kind is SAID:
            told = b',"logprobs":[%b]' % b",".join(logprobs)
        return opening + self._event(b"%b.delta" % kind.event, b'%b,"delta":%b%b' % (self._open.place, piece, told))

    def _begin_item(self, kind: PartKind) -> bytes:
        part = self._open = Part(kind, len(self._output), self._opening.job_id)
        added = self._item(b"added", part.index, part.item("in_progress"))
        return added + self._event(
            b"response.content_part.added", b'%b,"part":%b' % (part.place, _encode(part.empty()))
        )

    def _close(self, status: ItemStatus = "completed") -> bytes:
        """End the item that is open, if one is."""
        part, self._open = self._open, None
        if part is None:
            return b""
        item = part.item(status)
        self._output.append(item)
        told = b',"logprobs":%b' % _encode(part.logprobs) if part.kind is SAID else b""
        return b"".join(
            (
                self._event(b"%b.done" % part.kind.event, b'%b,"text":%b%b' % (part.place, part.text(), told)),
                self._event(b"response.content_part.done", b'%b,"part":%b' % (part.place, _encode(part.content()))),
                self._item(b"done", part.index, item),
            )
        )

    def _call(self, call: ToolCall) -> bytes:
        closing = self._close()
        index = len(self._output)
        item = FunctionCall(
            id=f"fc_{call.id}", status="completed", call_id=call.id, name=call.name, arguments=call.arguments
        )
        self._output.append(item)
        begun = msgspec.structs.replace(item, status="in_progress", arguments="")
        place = b'"item_id":%b,"output_index":%d' % (_encode(item.id), index)
        arguments = _encode(call.arguments)
        kind = b"response.function_call_arguments"
        return b"".join(
            (
                closing,
                self._item(b"added", index, begun),
                self._event(b"%b.delta" % kind, b'%b,"delta":%b' % (place, arguments)),
                self._event(b"%b.done" % kind, b'%b,"name":%b,"arguments":%b' % (place, _encode(call.name), arguments)),
                self._item(b"done", index, item),
            )
        )

    def _finish(self, done: Done) -> bytes:
        said = b"" if self._output or self._open else self._begin_item(SAID)  # clients look for a text, if an empty one
        is_whole = done.reason != "length"
        said += self._close("completed" if is_whole else "incomplete")
        self._outcome = Outcome(
            status="completed" if is_whole else "incomplete",
            incomplete_details=None if is_whole else IncompleteDetails("max_output_tokens"),
            usage=self._usage(done.usage),
        )
        return said + self._life(self._outcome.status.encode())

    def _fail(self, status: Literal["failed", "cancelled"], error: PoolError, usage: Usage | None = None) -> bytes:
        told = error_object(in_their_words(error))
        self._outcome = Outcome(status=status, error=told, usage=self._usage(usage) if usage else None)
        return self._life(b"failed")

    def _usage(self, usage: Usage) -> ResponseUsage:
        return usage_of(usage, reasoning_tokens=self._reasoning_tokens)

    def _progress(self) -> bytes:
        if self._has_progress:
            return b""
        self._has_progress = True
        self._outcome = Outcome(status="in_progress")
        return self._life(b"in_progress")

    def _life(self, kind: bytes) -> bytes:
        return self._event(b"response.%b" % kind, b'"response":%b' % _encode(self.response()))

    def _item(self, kind: bytes, index: int, item: OutputItem) -> bytes:
        return self._event(b"response.output_item.%b" % kind, b'"output_index":%d,"item":%b' % (index, _encode(item)))

    def _event(self, kind: bytes, rest: bytes) -> bytes:
        number = self.number
        self.number += 1
        if number <= self._after:
            return b""
        return b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (kind, kind, number, one_line(rest))
