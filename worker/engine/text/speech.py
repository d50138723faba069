"""What an answer says: content, reasoning and calls, made of its text.

Stop strings are looked for in the content alone, calls and thoughts left out: that is what clients take for the answer.
Blanks behind a marker belong to it: templates write them there.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from shared.event import ToolCall
from shared.job import Ask
from shared.tools import Tool

from .dialect import Dialect
from .prompt import Prompt, hash_of
from .sections import CALL, CONTENT, REASONING, Section, Sections
from .stop import StopMatcher

# What is longer is not tried: an honest call is not, and all streams wait for the parser.
_MAX_CALL_CHARACTERS = 1 << 16
_ID_LENGTH = 9  # of letters and digits: what Mistral's templates demand, and others take
_ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
UNREADABLE = "A tool call could not be read, so it is shown as text."
CUT_OFF = "The answer ended in the middle of a tool call, so that is shown as text."


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an id released."""

    content: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = []
    warning: str = ""

    def __add__(self, more: "Said") -> "Said":
        """Both, in order; of two warnings the first."""
        return Said(
            self.content + more.content,
            self.reasoning + more.reasoning,
            self.calls + more.calls,
            self.warning or more.warning,
        )


class Calls:
    """Reads calls and numbers them. The same texts give the same calls, ids too, in every attempt."""

    def __init__(self, dialect: Dialect, tools: Sequence[Tool], *, root: str, has_one: bool = False) -> None:
        """`root` is what ids are made of: one for each prompt and seed; with `has_one` the first call is the last."""
        self.count = 0
        self._has_one = has_one
        self._dialect = dialect
        self._tools = tools
        self._root = root

    @property
    def are_all(self) -> bool:
        """Whether no call may follow."""
        return self._has_one and self.count > 0

    def read(self, text: str) -> list[ToolCall]:
        """The calls of one section; none where it is no call."""
        spoken = self._dialect.read_calls(text, self._tools) if len(text) <= _MAX_CALL_CHARACTERS else None
        calls = [
            ToolCall(at, call.id or _id_of(f"{self._root}/{at}"), call.name, call.arguments)
            for at, call in enumerate((spoken or ())[: 1 if self._has_one else None], self.count)
        ]
        self.count += len(calls)
        return calls


class Speech:
    """Text in, what it says out; without sections all of it is content."""

    def __init__(self, stops: Sequence[str], sections: Sections | None = None, calls: Calls | None = None) -> None:
        self._stops = StopMatcher(stops)
        self._sections = sections
        self._calls = calls
        self._is_behind_marker = sections is not None and sections.kind != CONTENT
        self._call = ""  # as far as it has come, with the marker that began it
        self._begin = ""  # that marker

    @property
    def is_stopped(self) -> bool:
        """Whether the answer is at its end: a stop string was found, or the only call was made."""
        return self._stops.has_matched or (self._calls is not None and self._calls.are_all)

    @property
    def stopped_at(self) -> str | None:
        """The stop string that was found."""
        return self._stops.matched

    @property
    def has_called(self) -> bool:
        """Whether a call was made."""
        return self._calls is not None and self._calls.count > 0

    def feed(self, text: str) -> Said:
        """Take more text; return what it says."""
        if self._sections is None:
            return Said(self._stops.feed(text))
        if self._sections.is_inside(text):
            return self._take(Section(self._sections.kind, text))
        said = Said()
        for section in self._sections.feed(text):
            said += self._take(section)
            if self.is_stopped:
                break
        return said

    def finish(self, *, is_whole: bool) -> Said:
        """Return what was held back; a call that lacks its end is one only if the answer `is_whole`."""
        said = Said()
        if self._sections is not None:
            said = self._take(self._sections.flush())
            if self._sections.kind == CALL:
                said += self._close_call("", is_whole=is_whole)
        return said if self.is_stopped else said + Said(self._stops.flush())

    def _take(self, section: Section) -> Said:
        if section.kind == CALL:
            self._call += section.text
            return self._close_call(section.marker, is_whole=True) if section.marker else Said()
        text = section.text
        if self._is_behind_marker:
            text = text.lstrip()
            self._is_behind_marker = not text
        if section.marker:
            self._begin = section.marker
            self._is_behind_marker = True
        if section.kind == CONTENT:
            return Said(self._stops.feed(text))
        return Said(reasoning=text if section.kind == REASONING else "")

    def _close_call(self, end: str, *, is_whole: bool) -> Said:
        assert self._calls is not None, "only who offers tools is told of calls"
        begin, text = self._begin, self._call
        self._begin = self._call = ""
        self._is_behind_marker = True
        if is_whole and (calls := self._calls.read(text)):
            # What was held back came before the call; where that is the end, nothing can complete it any more.
            return Said(self._stops.flush() if self.is_stopped else "", calls=calls)
        return Said(self._stops.feed(begin + text + end), warning=UNREADABLE if is_whole else CUT_OFF)


def speech_for(ask: Ask, dialect: Dialect, prompt: Prompt, *, seed: int, has_held_calls: bool = False) -> Speech:
    """What the answer to a prompt is heard with: a text that is gone on with has no sections.

    `has_held_calls` where a grammar sees to the form of calls: thoughts are free of it, and have none.
    """
    if not prompt.is_templated:
        return Speech(ask.stops)
    # The prompt is in it too: a client that gives all its turns one seed must tell their calls apart.
    root = f"{hash_of(prompt.ids)}/{seed}"
    calls = Calls(dialect, ask.offered, root=root, has_one=ask.has_one_call) if ask.offered else None
    markers = dialect.markers(has_calls=calls is not None, has_calls_in_thoughts=not has_held_calls)
    if not any(markers.values()):
        return Speech(ask.stops)
    return Speech(ask.stops, Sections(markers, dialect.first_kind(prompt.ids)), calls)


def _id_of(name: str) -> str:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest())
    return "".join(_ID_CHARACTERS[number // 36**place % 36] for place in range(_ID_LENGTH))
