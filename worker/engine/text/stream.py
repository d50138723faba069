"""One request's ids as text: whole characters only, up to the first stop string."""

from collections.abc import Sequence

from .stop import StopMatcher
from .tokenizer import Tokenizer

# What decoding puts for bytes that are no text: an unfinished character, or none at all. Never shown.
_REPLACEMENT = "�"


class TextStream:
    """Ids in, text out. Fed with the same ids it gives the same pieces, which is what resuming relies on."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str], *, after: int | None = None) -> None:
        """`after` is the last id of a prompt that the text goes on from, so that its first space is kept."""
        self._tokenizer = tokenizer
        self._detokenizer = tokenizer.detokenizer()
        self._matcher = StopMatcher(stops)
        if after is not None and tokenizer.has_text(after):
            self._detokenizer.add_token(after)
            _ = self._detokenizer.last_segment

    @property
    def is_stopped(self) -> bool:
        """Whether a stop string was found: the text is at its end."""
        return self._matcher.has_matched

    def feed(self, token: int) -> str:
        """Take an id; return the text that it released, often more or less than its own."""
        if not self._tokenizer.has_text(token):
            return ""
        self._detokenizer.add_token(token)
        return self._matcher.feed(self._readable())

    def finish(self) -> str:
        """Return what was held back; an unfinished character is dropped."""
        self._detokenizer.finalize()
        shown = self._matcher.feed(self._readable())
        return shown if self.is_stopped else shown + self._matcher.flush()

    def _readable(self) -> str:
        return self._detokenizer.last_segment.replace(_REPLACEMENT, "")
