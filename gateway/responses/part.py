"""The text that is being told: of a message or of a thought, its pieces still JSON."""

from typing import NamedTuple

import msgspec

from .items import ItemStatus, OutputMessage, OutputText, ReasoningItem, ReasoningText

_NO_TEXT = msgspec.Raw(b'""')


class PartKind(NamedTuple):
    """What tells a message's text from a thought's: how its item is named, and its events."""

    prefix: str
    event: bytes


SAID = PartKind("msg_", b"response.output_text")
THOUGHT = PartKind("rs_", b"response.reasoning_text")


class Part:
    """The one part of an item that is open, `index`-th of its answer."""

    def __init__(self, kind: PartKind, index: int, job_id: str) -> None:
        self.kind = kind
        self.index = index
        self.id = f"{kind.prefix}{job_id}_{index}"
        self.place = b'"item_id":"%b","output_index":%d,"content_index":0' % (self.id.encode(), index)
        self.delta = b',%b,"delta":' % self.place
        self.logprobs: list[msgspec.Raw] = []
        self._pieces: list[msgspec.Raw] = []

    def add(self, piece: msgspec.Raw, logprobs: list[msgspec.Raw]) -> None:
        """Note more of its text."""
        self._pieces.append(piece)
        if logprobs:
            self.logprobs += logprobs

    def text(self) -> msgspec.Raw:
        """All of it: strings of JSON are joined by leaving out the quotes between them."""
        return msgspec.Raw(b'"%b"' % b"".join(bytes(piece)[1:-1] for piece in self._pieces))

    def content(self) -> OutputText | ReasoningText:
        """The part as it stands."""
        text = self.text()
        return OutputText(text, logprobs=self.logprobs) if self.kind is SAID else ReasoningText(text)

    def empty(self) -> OutputText | ReasoningText:
        """The part before anything was told."""
        return OutputText(_NO_TEXT) if self.kind is SAID else ReasoningText(_NO_TEXT)

    def item(self, status: ItemStatus) -> OutputMessage | ReasoningItem:
        """The item as it stands; one that has just begun has no part yet."""
        content = [] if status == "in_progress" else [self.content()]
        if self.kind is SAID:
            return OutputMessage(
                id=self.id, status=status, content=[each for each in content if isinstance(each, OutputText)]
            )
        return ReasoningItem(
            id=self.id, status=status, content=[each for each in content if isinstance(each, ReasoningText)]
        )
