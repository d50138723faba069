"""The body of `POST /v1/responses`: every field that does something. Fields not named here are ignored."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.chat_request import Name
from gateway.openai.sampling import MaxTokens, Sampling
from shared.grammar import AnyText, JsonObject
from shared.job import MAX_LOGPROBS
from shared.tools import MAX_TOOLS

from .input_item import InputItem

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]


class SchemaFormat(msgspec.Struct, frozen=True, kw_only=True, tag="json_schema"):
    """One JSON value that is valid against the schema, which is always held to."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema: dict[str, object]
    description: Annotated[str, Meta(max_length=4_096)] | None = None
    strict: bool | None = None


class TextConfig(msgspec.Struct, frozen=True):
    """What the answer's text must look like."""

    format: AnyText | JsonObject | SchemaFormat | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """How much to think."""

    effort: Effort | None = None


class FlatTool(msgspec.Struct, frozen=True):
    """Something that the model may call; a function's own fields stand beside its type."""

    type: str = "function"
    name: Name | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedChoice(msgspec.Struct, frozen=True, tag="function"):
    """The function that has to be called."""

    name: Name


class AllowedTool(msgspec.Struct, frozen=True):
    """A tool by its name."""

    name: Name
    type: str = "function"


class AllowedChoice(msgspec.Struct, frozen=True, tag="allowed_tools"):
    """The only tools that may be called."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[AllowedTool], Meta(min_length=1, max_length=MAX_TOOLS)]


Choice = Literal["none", "auto", "required"] | NamedChoice | AllowedChoice


class ResponseRequest(Sampling, frozen=True, kw_only=True):
    """A conversation, and what its answer may be."""

    input: str | Annotated[list[InputItem], Meta(min_length=1, max_length=1_024)]
    instructions: str | None = None
    previous_response_id: Annotated[str, Meta(max_length=128)] | None = None
    max_output_tokens: MaxTokens | None = None
    tools: Annotated[list[FlatTool], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool = True
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    include: Annotated[list[str], Meta(max_length=32)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    truncation: Literal["disabled", "auto"] = "disabled"
    background: bool = False
    store: bool = True
    metadata: Metadata | None = None
