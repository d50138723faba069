"""One request's ids as text, whole characters only, and as what that text says."""

from .speech import Said, Speech
from .tokenizer import Tokenizer

# What decoding puts for bytes that are no text: an unfinished character, or none at all. Never shown.
_REPLACEMENT = "�"
_NOTHING = Said()


class TextStream:
    """Ids in, words out. Fed with the same ids it gives the same pieces, which is what resuming relies on."""

    def __init__(self, tokenizer: Tokenizer, speech: Speech, *, after: int | None = None) -> None:
        """`after` is the last id of a prompt that the text goes on from, so that its first space is kept."""
        self._tokenizer = tokenizer
        self._detokenizer = tokenizer.detokenizer()
        self._speech = speech
        if after is not None and tokenizer.has_text(after):
            self._detokenizer.add_token(after)
            _ = self._detokenizer.last_segment

    @property
    def is_stopped(self) -> bool:
        """Whether the text is at its end: a stop string was found, or the only call was made."""
        return self._speech.is_stopped

    @property
    def stopped_at(self) -> str | None:
        """The stop string that was found."""
        return self._speech.stopped_at

    @property
    def has_called(self) -> bool:
        """Whether a tool was called."""
        return self._speech.has_called

    def bytes_of(self, token: int) -> bytes:
        """The bytes that an id stands for, whatever text they come to with those around it."""
        return self._tokenizer.bytes_of(token)

    def feed(self, token: int) -> Said:
        """Take an id; return what it released, often more or less than its own text."""
        if not self._tokenizer.has_text(token):
            return _NOTHING
        self._detokenizer.add_token(token)
        return self._speech.feed(self._readable())

    def finish(self, *, is_whole: bool) -> Said:
        """Return what was held back; an unfinished character is dropped. `is_whole` where the model meant to end."""
        self._detokenizer.finalize()
        said = self._speech.feed(self._readable())
        return said if self.is_stopped else said + self._speech.finish(is_whole=is_whole)

    def _readable(self) -> str:
        return self._detokenizer.last_segment.replace(_REPLACEMENT, "")
