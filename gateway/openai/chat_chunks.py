"""The chunks of one choice of a chat. A token's is a byte template around the text's own JSON."""

import msgspec

from gateway.delivery import Text
from gateway.frames import calls_of, one_line
from shared.event import Reason

from .calls import delta_of
from .envelope import Envelope

_encode = msgspec.json.Encoder().encode
_NO_TEXT = len('""')


class ChatChunks:
    """Writes the choice with this index; with usage wanted, every chunk says that it has none."""

    kind = "chat.completion.chunk"

    def __init__(self, envelope: Envelope, index: int, *, has_usage: bool) -> None:
        self._head = b'%b[{"index":%d,"delta":{' % (envelope.head(self.kind), index)
        self._end = b',"usage":null}\n\n' if has_usage else b"}\n\n"
        self._content = self._head + b'"content":'
        self._tail = b'},"logprobs":null,"finish_reason":null}]' + self._end

    def begin(self) -> bytes:
        """Who speaks."""
        return b'%b"role":"assistant","content":""%b' % (self._head, self._tail)

    def text(self, text: Text) -> bytes:
        """What was said; ids whose text is held back say nothing yet."""
        if text.reasoning or text.tool_calls or text.logprobs or text.warning:
            return self._rich(text)
        if len(text.content) == _NO_TEXT:
            return b""
        return b"".join((self._content, one_line(bytes(text.content)), self._tail))

    def finish(self, reason: Reason) -> bytes:
        """Why it ended."""
        return b'%b},"logprobs":null,"finish_reason":"%b"}]%b' % (self._head, reason.encode(), self._end)

    def _rich(self, text: Text) -> bytes:
        delta: list[bytes] = []
        if len(text.content) > _NO_TEXT:
            delta.append(b'"content":%b' % text.content)
        if text.reasoning:
            delta.append(b'"reasoning_content":%b' % text.reasoning)
        if text.tool_calls:
            delta.append(b'"tool_calls":%b' % _encode([delta_of(call) for call in calls_of(text.tool_calls)]))
        logprobs = b'{"content":%b,"refusal":null}' % text.logprobs if text.logprobs else b"null"
        warning = b',"warning":%b' % text.warning if text.warning else b""
        told = (self._head, b",".join(delta), logprobs, warning, self._end)
        return one_line(b'%b%b},"logprobs":%b,"finish_reason":null}]%b%b' % told)
