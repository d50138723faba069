"""How a model marks its thoughts and its calls: beside `tokenizer` the only module with mlx-lm's names."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from shared.tools import MAX_ID_CHARACTERS, MAX_NAME_CHARACTERS, Tool

from .deadline import within
from .sections import CALL, CONTENT, REASONING, Markers

_TAIL = 16  # a template opens thoughts in its very last ids
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
# Most calls are read in a millisecond; of what a model repeats endlessly some parsers' time grows with its square, and
# all streams wait for it.
_PATIENCE_S = 1.0


class Spoken(msgspec.Struct, frozen=True):
    """A call as the model made it; some models give their calls ids."""

    name: str
    arguments: str
    id: str | None = None


class Marker(NamedTuple):
    """A marker's text, and the ids it is written in."""

    text: str
    ids: tuple[int, ...]


class Dialect:
    """What is known of a model's way to answer."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    @functools.cached_property
    def has_tools(self) -> bool:
        """Whether the model can be told of tools, and its calls be read."""
        return bool(self._wrapped.has_tool_calling) and self._template_tells_of_tools

    @property
    def call_markers(self) -> tuple[Marker, Marker]:
        """What stands before and behind a call; behind it may stand nothing."""
        wrapped = self._wrapped
        begin = Marker(wrapped.tool_call_start or "", tuple(wrapped.tool_call_start_tokens or ()))
        return begin, Marker(wrapped.tool_call_end or "", tuple(wrapped.tool_call_end_tokens or ()))

    @property
    def has_json_calls(self) -> bool:
        """Whether a call is `{"name": …, "arguments": {…}}` between its markers."""
        parser = self._wrapped.tool_parser
        return parser is not None and parser.__module__.endswith(".json_tools")

    def markers(self, *, has_calls: bool, has_calls_in_thoughts: bool = True) -> Markers:
        """What parts an answer's sections; without `has_calls` what looks like a call is text like any other.

        Some models call in the middle of their thoughts, which that ends.
        """
        wrapped = self._wrapped
        edges: dict[str, dict[str, str]] = {CONTENT: {}}
        for kind, follows in cast("Mapping[str, list[tuple[str, str]]]", wrapped.response_transitions).items():
            edges[kind] = {marker: next_kind for marker, next_kind in follows if has_calls or next_kind != CALL}
        has_own_calls = any(CALL in follows.values() for follows in edges.values())
        if wrapped.has_thinking:
            edges[CONTENT].setdefault(wrapped.think_start, REASONING)
            edges.setdefault(REASONING, {}).setdefault(wrapped.think_end, CONTENT)
        if has_calls and wrapped.has_tool_calling:
            begin, end = (marker.text for marker in self.call_markers)
            if not has_own_calls:
                edges[CONTENT].setdefault(begin, CALL)
            if wrapped.has_thinking and has_calls_in_thoughts:
                edges[REASONING].setdefault(begin, CALL)
            edges[CALL] = {end: CONTENT} if end else {}
        for marker in wrapped.structural_markers:
            edges[CONTENT].setdefault(marker, CONTENT)
        return edges

    def first_kind(self, prompt: Sequence[int]) -> str:
        """The kind of the section that an answer to this prompt begins with."""
        wrapped = self._wrapped
        if own := wrapped.response_initial_state:
            return own
        if not wrapped.has_thinking:
            return CONTENT
        # Only the very end counts: what a user's message says of markers opens nothing.
        tail: str = wrapped.decode(list(prompt[-_TAIL:]))
        return REASONING if tail.rstrip().endswith(wrapped.think_start) else CONTENT

    def read_calls(self, text: str, tools: Sequence[Tool]) -> list[Spoken] | None:
        """Read what stands between a call's markers, one call or several; None where it is none."""
        try:
            made = within(_PATIENCE_S, lambda: self._wrapped.tool_parser(text, told_of(tools)))
            calls = [_spoken(call) for call in cast("list[Any]", made if isinstance(made, list) else [made])]
        except Exception:  # noqa: BLE001 a parser raises anything for text that its author did not think of
            return None
        return calls or None

    @property
    def _template_tells_of_tools(self) -> bool:
        templates = self._wrapped.chat_template
        if isinstance(templates, dict):
            templates = " ".join(map(str, cast("dict[str, object]", templates).values()))
        # A template that is code rather than text comes with mlx-lm, for models that know tools.
        return not isinstance(templates, str) or "tools" in templates


def told_of(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools as templates and parsers take them: all of them have parameters."""
    told: list[dict[str, Any]] = msgspec.to_builtins(tools)
    for tool in told:
        tool["function"].setdefault("parameters", _NO_ARGUMENTS)
    return told


def _spoken(call: Any) -> Spoken:
    name, arguments, own_id = call["name"], call.get("arguments", {}), call.get("id")
    if isinstance(arguments, str):
        arguments = msgspec.json.decode(arguments)
    if not (isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARACTERS and isinstance(arguments, dict)):
        raise ValueError("no call has such parts")
    own_id = own_id if isinstance(own_id, str) and 0 < len(own_id) <= MAX_ID_CHARACTERS else None
    f"{name}{own_id}".encode()  # half of a surrogate pair is a ValueError: JSON may hold it, and no event can
    return Spoken(name, msgspec.json.encode(arguments).decode(), own_id)
