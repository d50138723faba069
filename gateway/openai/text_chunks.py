"""The chunks of one choice of a text completion. A token's is a byte template around the text's own JSON."""

import msgspec

from gateway.delivery import Text
from gateway.frames import one_line
from shared.event import Reason

from .envelope import Envelope
from .text_logprobs import end_of, entries_of, text_logprobs

_encode = msgspec.json.Encoder().encode
_NO_TEXT = len('""')


class TextChunks:
    """Writes the choice with this index; `echo` is the text before it, `logprobs` how many alternatives are told."""

    kind = "text_completion"

    def __init__(
        self, envelope: Envelope, index: int, *, has_usage: bool, echo: str | None = None, logprobs: int | None = None
    ) -> None:
        self._head = b'%b[{"index":%d,"text":' % (envelope.head(self.kind), index)
        self._end = b',"usage":null}\n\n' if has_usage else b"}\n\n"
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._end
        self._echo = echo
        self._logprobs = logprobs
        self._offset = 0

    def begin(self) -> bytes:
        """The prompt, where it was asked for."""
        return b"" if self._echo is None else one_line(self._head + _encode(self._echo) + self._tail)

    def text(self, text: Text) -> bytes:
        """What was said; of thoughts and calls a text completion knows nothing."""
        if text.logprobs:
            return self._with_logprobs(text)
        if len(text.content) == _NO_TEXT:
            return b""
        return b"".join((self._head, one_line(bytes(text.content)), self._tail))

    def finish(self, reason: Reason) -> bytes:
        """Why it ended."""
        return b'%b"","logprobs":null,"finish_reason":"%b"}]%b' % (self._head, reason.encode(), self._end)

    def _with_logprobs(self, text: Text) -> bytes:
        told = text_logprobs(entries_of(text.logprobs), self._offset, has_top=bool(self._logprobs))
        self._offset = end_of(told, self._offset)
        parts = (self._head, text.content, _encode(told), self._end)
        return one_line(b'%b%b,"logprobs":%b,"finish_reason":null}]%b' % parts)
