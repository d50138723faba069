"""The bodies of `POST /v1/messages` and `…/count_tokens`: every field that does something. Others are ignored."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shared.tools import MAX_TOOLS, Name

from .blocks import Block, CacheControl, TextBlock

# Ignoring one of these would change the answer. By field, what its refusal says.
REFUSED: Mapping[str, str] = {
    "mcp_servers": "this pool calls no servers; call them yourself, as tools",
    "compaction": "ask for a summary as for any other answer",
    "thread": "this pool keeps no conversations; send all messages",
}


class Turn(msgspec.Struct, frozen=True):
    """A message of the conversation; a `system` one may stand anywhere in it."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class ToolParam(msgspec.Struct, frozen=True):
    """A tool of the client's own. Others, which Anthropic runs or knows by their type, may have fewer fields."""

    name: Name | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    type: str | None = None
    cache_control: CacheControl | None = None


class AutoChoice(msgspec.Struct, frozen=True, tag_field="type", tag="auto"):
    """The model chooses."""

    disable_parallel_tool_use: bool | None = None


class AnyChoice(msgspec.Struct, frozen=True, tag_field="type", tag="any"):
    """The model has to call a tool."""

    disable_parallel_tool_use: bool | None = None


class NamedChoice(msgspec.Struct, frozen=True, tag_field="type", tag="tool"):
    """The model has to call this tool, and does so once."""

    name: Name
    disable_parallel_tool_use: bool | None = None


class NoChoice(msgspec.Struct, frozen=True, tag_field="type", tag="none"):
    """The model is told of no tools."""


class ThinkingEnabled(msgspec.Struct, frozen=True, tag_field="type", tag="enabled"):
    """The model thinks first; how long is its own affair, within `max_tokens`."""


class ThinkingAdaptive(msgspec.Struct, frozen=True, tag_field="type", tag="adaptive"):
    """The model thinks where it wants to."""


class ThinkingDisabled(msgspec.Struct, frozen=True, tag_field="type", tag="disabled"):
    """The model answers at once, if it can do without thinking."""


class Format(msgspec.Struct, frozen=True, tag_field="type", tag="json_schema"):
    """What the answer's text is held to."""

    schema: dict[str, object]


class OutputConfig(msgspec.Struct, frozen=True):
    """How much effort to make, and the answer's form."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Format | None = None


ToolChoice = AutoChoice | AnyChoice | NamedChoice | NoChoice
Thinking = ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled


class Prompted(msgspec.Struct, frozen=True, kw_only=True):
    """What the model is told, which is all that a count of its tokens needs."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Turn], Meta(min_length=1, max_length=1_024)]
    system: str | list[TextBlock] | None = None
    tools: Annotated[list[ToolParam], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None  # as `output_config.format` was called while it was a beta


class Asked(Prompted, frozen=True, kw_only=True):
    """What is asked of the model; the defaults are Anthropic's."""

    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)]
    temperature: Annotated[float, Meta(ge=0, le=5)] = 1.0
    top_p: Annotated[float, Meta(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=0, le=1_024)] = 0
    stop_sequences: Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=16)] = []
    stream: bool = False
