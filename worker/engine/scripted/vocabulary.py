"""What the scripted ids stand for: whole characters, and pieces of them, walked as an automaton over UTF-8.

A node is the bytes that are held back because their character is not whole; an edge is one id drawn there. Only ids
whose bytes may follow are drawn, so the text is valid UTF-8 whatever the hash says. Edges carry their text and their
piece of the reply line ready made: walking them is all that a step costs.
"""

import codecs
from collections.abc import Mapping
from typing import Literal

import msgspec

EOS = 0  # ends the turn; stands for no text
DEFAULT_SIZE = 2_048

_WHOLE = (
    *("", "a", "e", "n", " ", "\n", '"', "\\", "the", " of", "ing", ", ", ". ", "42", "ß", "中", "日本", "\u2028"),
    *("안", "녕", "하세요", "입니다", "한국", "말", "은 ", "을 ", "값", "ㅎㅎ", "한", "e\u0301"),
    *("🙂", "🚀", "👩\u200d🚀", "🇰🇷", "é", "€"),
)
# A character's first bytes; its last bytes; last bytes with what follows them, as real vocabularies have.
_BROKEN = (
    *(b"\xec", b"\xeb\x85", b"\xed\x95", b"\xf0\x9f", b"\xf0\x9f\x99", b"\xe2\x82", b"\xc3", b"a\xec"),
    *(b"\x95", b"\x88", b"\xa9", b"\x95\x88", b"\x99\x82", b"\x9a\x80"),
    *(b"\x95 ", b"\x88\xeb", b"\xa9\xf0\x9f", b"\x95\x88."),
)
# What a reader of streams, a terminal or a page may take for something else than text. Cut where readers join pieces:
# a line's end in two, an event's end before what looks like a field, characters that become one with their neighbours.
_HOSTILE = (
    *("", "a", " ", '"', "\\", "\n", "\r", "\r\n", "\n\n", "\r\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"),
    *("data: ", "data:[DONE]\n\n", "event: error\n", "id: 1\n", "id\n", "retry: 0\n", ": ", "}\n\n", "[DONE]"),
    *("\0", "\x1b[2J", "\x1b]0;title\a", "\b", "\x7f", "\x9b31m", "\u202e", "\u200b", "\ufeff", "\ufffd", "\uffff"),
    *("</script><script>", "<!--", "]]>", "&quot;", "\\u0000", "\\ud83d", "\\ude42", "\\n", "%00", "${x}"),
    *("👩", "\u200d", "🚀", "🇰", "🇷", "\u0301", "\U0010ffff", "각", "ᄀ", "ᅡ"),
)
Words = Literal["plain", "hostile"]
PIECES: Mapping[Words, tuple[bytes, ...]] = {
    "plain": (*(text.encode() for text in _WHOLE), *_BROKEN),
    "hostile": (*(text.encode() for text in _HOSTILE), *_BROKEN),
}
_ENCODE = msgspec.json.Encoder().encode


class Edge:
    """One id drawn at a node: the text it releases, the node behind it, and `"content":…,"tokens":[id]}` as bytes."""

    __slots__ = ("id", "node", "tail", "text")

    def __init__(self, token_id: int, text: str, node: "Node") -> None:
        self.id = token_id
        self.text = text
        self.node = node
        content = b'"content":' + _ENCODE(text) + b"," if text else b""
        self.tail = content + b'"tokens":[%d]}\n' % token_id


class Node:
    """What may follow the bytes held back; `ids` are those whose bytes go on with them."""

    __slots__ = ("_edges", "held", "ids", "vocabulary")

    def __init__(self, vocabulary: "Vocabulary", held: bytes) -> None:
        self.held = held
        self.ids = vocabulary.ids_behind(held)
        self.vocabulary = vocabulary
        self._edges: dict[int, Edge] = {}

    def edge(self, token_id: int) -> Edge:
        """Return the edge of an id, also of one that may not follow: a wrong resume shows as U+FFFD."""
        edge = self._edges.get(token_id)
        if edge is None:
            edge = self._edges[token_id] = self.vocabulary.link(self.held, token_id)
        return edge


class Vocabulary:
    """`size` ids, of which 0 ends the turn; the others stand for the `PIECES` of these words, over and over."""

    def __init__(self, size: int = DEFAULT_SIZE, words: Words = "plain") -> None:
        self._pieces = PIECES[words]
        assert size > len(self._pieces), "every piece needs an id, or a node may have none to draw"
        self.size = size
        self._nodes: dict[bytes, Node] = {}
        self.start = self.node(b"")

    def node(self, held: bytes) -> Node:
        """Return the node of the bytes held back."""
        node = self._nodes.get(held)
        if node is None:
            node = self._nodes[held] = Node(self, held)
        return node

    def ids_behind(self, held: bytes) -> tuple[int, ...]:
        """Return the ids whose bytes may follow."""
        may_follow = [_is_utf8_so_far(held + piece) for piece in self._pieces]
        return tuple(token_id for token_id in range(1, self.size) if may_follow[(token_id - 1) % len(self._pieces)])

    def link(self, held: bytes, token_id: int) -> Edge:
        """Build an edge: decode what is whole, hold back the rest."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(held + self.piece_of(token_id))
        return Edge(token_id, text, self.node(decoder.getstate()[0]))

    def piece_of(self, token_id: int) -> bytes:
        """Return the bytes that an id stands for."""
        return b"" if token_id == EOS else self._pieces[(token_id - 1) % len(self._pieces)]


def _is_utf8_so_far(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True
