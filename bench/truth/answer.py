"""An answer as an engine gave it: plain data."""

import msgspec

from shared.event import Reason


class Piece(msgspec.Struct, frozen=True):
    """What one reply told: ids, and the text that they released."""

    text: str
    ids: tuple[int, ...]


class Answer(msgspec.Struct, frozen=True):
    """All that has to be the same, whatever happened to the stream."""

    prompt_hash: str
    pieces: tuple[Piece, ...]
    reason: Reason
    completion_tokens: int

    @property
    def ids(self) -> list[int]:
        """All generated ids, in order."""
        return [token for piece in self.pieces for token in piece.ids]

    @property
    def text(self) -> str:
        """All text, in order."""
        return "".join(piece.text for piece in self.pieces)

    def is_equal(self, other: "Answer") -> bool:
        """Whether both are the same to the byte and to the id; the pieces they came in don't matter."""
        return _whole(self) == _whole(other)

    def gone_on_with(self, rest: "Answer", after: int) -> "Answer":
        """This answer's first `after` pieces, and what another attempt went on with."""
        return msgspec.structs.replace(rest, pieces=(*self.pieces[:after], *rest.pieces))


def _whole(answer: Answer) -> tuple[object, ...]:
    return answer.prompt_hash, answer.ids, answer.text, answer.reason, answer.completion_tokens
