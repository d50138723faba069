"""The body of `POST /v1/chat/completions`: every field that does something. Fields not named here are ignored."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shared.grammar import ResponseFormat
from shared.job import MAX_LOGPROBS, TemplateKwargs
from shared.tools import MAX_ID_CHARACTERS, MAX_NAME_CHARACTERS, MAX_TOOLS

from .sampling import MaxTokens, Sampling

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]  # of a function: half as long as a job's may be
CallId = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]


class Part(msgspec.Struct, frozen=True):
    """A piece of a message; what it holds stands under its type."""

    type: str
    text: str | None = None
    refusal: str | None = None


class CalledParam(msgspec.Struct, frozen=True):
    """A function's name and its arguments: a JSON object, as text."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
    arguments: str


class CallParam(msgspec.Struct, frozen=True):
    """A call that the assistant made; clients that gathered it from a stream leave an `index` in."""

    id: CallId
    type: str = "function"
    function: CalledParam | None = None


class MessageParam(msgspec.Struct, frozen=True):
    """A turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: Annotated[str, Meta(max_length=64)] | None = None
    tool_calls: Annotated[list[CallParam], Meta(max_length=128)] | None = None
    tool_call_id: CallId | None = None
    refusal: str | None = None
    audio: Any = None
    function_call: Any = None


class FunctionParam(msgspec.Struct, frozen=True):
    """A function that the model may call."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolParam(msgspec.Struct, frozen=True):
    """Something that the model may call."""

    type: str = "function"
    function: FunctionParam | None = None


class Called(msgspec.Struct, frozen=True):
    """A function by its name."""

    name: Name


class NamedChoice(msgspec.Struct, frozen=True, tag="function"):
    """The function that has to be called."""

    function: Called


class AllowedTool(msgspec.Struct, frozen=True):
    """A tool by its name."""

    function: Called
    type: str = "function"


class AllowedTools(msgspec.Struct, frozen=True):
    """The only tools that may be called."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[AllowedTool], Meta(min_length=1, max_length=MAX_TOOLS)]


class AllowedChoice(msgspec.Struct, frozen=True, tag="allowed_tools"):
    """A choice among some of the tools."""

    allowed_tools: AllowedTools


class ChatRequest(Sampling, frozen=True, kw_only=True):
    """A conversation, and what its answer may be."""

    messages: Annotated[list[MessageParam], Meta(min_length=1, max_length=1_024)]
    max_completion_tokens: MaxTokens | None = None
    max_tokens: MaxTokens | None = None
    tools: Annotated[list[ToolParam], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | AllowedChoice | None = None
    parallel_tool_calls: bool = True
    response_format: ResponseFormat | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    chat_template_kwargs: TemplateKwargs | None = None
    modalities: list[str] | None = None
