"""A job's stream as Anthropic's server-sent events.

`message_start`; blocks, one after the other, of thoughts, of text and of calls; `message_delta` with how it ended;
`message_stop`. A block is open as long as more of its kind comes. Every event is named twice: some clients read the
line `event:`, and some the object. A token's event is a byte template around the text's own JSON.
"""

from typing import NamedTuple, assert_never

import msgspec

from gateway.delivery import Delivery, Text, Told
from gateway.errors import anthropic_object
from gateway.frames import calls_of, one_line
from shared.errors import PoolError, from_wire
from shared.event import Cancelled, Done, Error, Queued, Started, ToolCall, Usage

from .ending import stop_fields, usage_fields
from .whole import SIGNATURE, cancelled, message_id_of
from .words import in_their_words

_encode = msgspec.json.Encoder().encode
_EMPTY = len('""')
_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_END_OF_DELTA = b"}}\n\n"
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
# This API has no warnings. A ping may come anywhere behind `message_start`, and no client minds what it holds.
_WARNING = b'event: ping\ndata: {"type":"ping","warning":%b}\n\n'
_COMMENT = b": keep-alive\n\n"  # no event may come before `message_start`


class _Kind(NamedTuple):
    """A block's kind: what it is before anything is said in it, and how more of it is named."""

    empty: bytes
    delta: bytes
    field: bytes
    is_signed: bool = False


_TEXT = _Kind(b'{"type":"text","text":""}', b"text_delta", b"text")
_THINKING = _Kind(b'{"type":"thinking","thinking":"","signature":""}', b"thinking_delta", b"thinking", is_signed=True)


class Events:
    """The events of one answer."""

    media_type = "text/event-stream; charset=utf-8"

    def __init__(self, job_id: str, *, model: str, request_id: str) -> None:
        self._job_id = job_id
        self._model = model
        self._request_id = request_id
        self._has_begun = False
        self._open: _Kind | None = None
        self._index = 0  # of the block that is open, else of the next one
        self._delta = b""  # what stands before more of the open block

    @property
    def keep_alive(self) -> bytes:
        """A ping, once there is a message."""
        return _PING if self._has_begun else _COMMENT

    def frame(self, delivery: Delivery) -> bytes:
        """An event of the job, as none, one or several here."""
        event = delivery.event
        match event:
            case Text():
                return self._say(event)
            case Queued():
                return self.keep_alive  # this API has no word for it
            case Started():
                return b"" if self._has_begun else self._begin(event)  # a second attempt begins no second message
            case Done():
                return self._close() + self._end(event)
            case Error():
                return self.failure(event)
            case Cancelled():
                return self._fail(cancelled())
            case _:
                assert_never(event)

    def failure(self, error: Error) -> bytes:
        """An error, behind which nothing comes."""
        return self._fail(from_wire(error.code, error.message, param=error.param))

    def may_end_cleanly(self, end: Told) -> bool:
        """Only when all of the answer is there."""
        return isinstance(end, Done)

    def _fail(self, error: PoolError) -> bytes:
        return _named(b"error", _encode(anthropic_object(in_their_words(error), self._request_id)))

    def _begin(self, started: Started) -> bytes:
        self._has_begun = True
        usage = Usage(started.prompt_tokens, completion_tokens=0, cached_tokens=started.cached_tokens)
        message = {
            "id": message_id_of(self._job_id),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": (),
            **stop_fields(None),
            "usage": usage_fields(usage),
        }
        return _named(b"message_start", _encode({"type": "message_start", "message": message}))

    def _say(self, text: Text) -> bytes:
        said = b""
        if len(text.reasoning) > _EMPTY:
            said += self._add(_THINKING, text.reasoning)
        if len(text.content) > _EMPTY:
            said += self._add(_TEXT, text.content)
        if text.tool_calls:
            said += b"".join(map(self._call, calls_of(text.tool_calls)))
        if text.warning:
            said += _WARNING % text.warning
        return one_line(said)

    def _add(self, kind: _Kind, more: msgspec.Raw) -> bytes:
        opening = b"" if kind is self._open else self._close() + self._begin_block(kind)
        return b"%b%b%b%b" % (opening, self._delta, more, _END_OF_DELTA)

    def _begin_block(self, kind: _Kind) -> bytes:
        self._open = kind
        self._delta = _DELTA % (self._index, kind.delta, kind.field)
        return _START % (self._index, kind.empty)

    def _close(self) -> bytes:
        """End the block that is open, if one is."""
        if self._open is None:
            return b""
        signed = b""
        if self._open.is_signed:
            signed = _DELTA % (self._index, b"signature_delta", b"signature") + _encode(SIGNATURE) + _END_OF_DELTA
        self._open = None
        return signed + self._stop()

    def _call(self, call: ToolCall) -> bytes:
        """A call comes whole: a block that is begun, filled and ended at once."""
        closing = self._close()
        block = _encode({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
        filled = _DELTA % (self._index, b"input_json_delta", b"partial_json") + _encode(call.arguments) + _END_OF_DELTA
        return closing + _START % (self._index, block) + filled + self._stop()

    def _stop(self) -> bytes:
        stopped = _STOP % self._index
        self._index += 1
        return stopped

    def _end(self, done: Done) -> bytes:
        delta = _encode({"type": "message_delta", "delta": stop_fields(done), "usage": usage_fields(done.usage)})
        return _named(b"message_delta", delta) + _named(b"message_stop", b'{"type":"message_stop"}')


def _named(name: bytes, data: bytes) -> bytes:
    return one_line(b"event: %b\ndata: %b\n\n" % (name, data))
